"""What docs/deploy.md tells to type works as far as it can without a cluster."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from helm_program import CHART, one, pod_specs, rendered, run_helm, server_pod
from support.tools import debian_program

from nextchar.entrypoints.settings import Settings

_PAGE = (CHART.parents[1] / "docs" / "deploy.md").read_text()
_README = (CHART / "README.md").read_text()
_BLOCKS = {
    kind: re.findall(rf"```{kind}\n(.*?)```", _PAGE + _README, re.DOTALL) for kind in ("console", "yaml")
}


def commands(start: str) -> list[tuple[str, str]]:
    """Commands that begin so, each with what is shown below it."""
    entries = [entry for block in _BLOCKS["console"] for entry in re.split(r"^\$ ", block, flags=re.M)[1:]]
    parts = [entry.partition("\n") for entry in entries]
    return [(command, shown.strip()) for command, _, shown in parts if command.startswith(start)]


@pytest.fixture
def production(tmp_path: Path) -> Path:
    (text,) = [block for block in _BLOCKS["yaml"] if block.startswith("# production.yaml")]
    (tmp_path / "production.yaml").write_text(text)
    return tmp_path


def test_every_installation_and_upgrade_renders(production: Path) -> None:
    found = [command for kind in ("helm install", "helm upgrade") for command, _ in commands(kind)]
    assert len(found) >= 5
    for command in found:
        words = shlex.split(command.replace("production.yaml", str(production / "production.yaml")))
        done = run_helm("4", "template", words[2], CHART, *words[4:])
        assert words[3] == "helm/nextchar"
        assert done.returncode == 0, (command, done.stderr)
        assert pod_specs([d for d in yaml.safe_load_all(done.stdout) if d])


def test_the_variables_that_are_shown_render(tmp_path: Path) -> None:
    (text,) = [block for block in _BLOCKS["yaml"] if block.startswith("# variables.yaml")]
    (tmp_path / "variables.yaml").write_text(text)
    (container,) = server_pod(rendered("--values", tmp_path / "variables.yaml"))["containers"]
    assert container["resources"] == {"requests": {"cpu": "2", "memory": "512Mi"}}
    assert container["env"][1:] == yaml.safe_load(text)["extraEnv"]


def test_the_judges_that_are_shown_render(tmp_path: Path) -> None:
    (text,) = [block for block in _BLOCKS["yaml"] if block.startswith("# judges.yaml")]
    (tmp_path / "judges.yaml").write_text(text)
    volumes = {v["name"]: v for v in server_pod(rendered("--values", tmp_path / "judges.yaml"))["volumes"]}
    assert volumes["judges"]["persistentVolumeClaim"]["claimName"] == "nextchar-judges"


def test_a_release_is_named_as_the_page_says() -> None:
    release, name = re.findall(r"the release `([^`]+)`\s+has the Service `([^`]+)`", _PAGE)[0]
    assert one(rendered(release=release), "Service", name)


def test_a_refusal_reads_as_it_is_shown() -> None:
    ((command, shown),) = commands("helm template")
    words = shlex.split(command)
    done = run_helm("4", "template", words[2], CHART, *words[4:])
    said = done.stderr
    assert [line.strip() for line in said.strip().splitlines()] == [s.strip() for s in shown.splitlines()]


def test_the_claims_that_are_left_are_found_by_their_label() -> None:
    ((command, _),) = commands("kubectl delete pvc")
    name, value = command.rsplit(" ", 1)[1].split("=")
    for file, kind in (
        ("disk", "PersistentVolumeClaim"),
        ("statefulset", "StatefulSet"),
        ("valkey", "StatefulSet"),
    ):
        arguments = ("--values", CHART / "ci" / f"{file}-values.yaml")
        done = run_helm("4", "template", value, CHART, *arguments)
        documents = [d for d in yaml.safe_load_all(done.stdout) if d]
        (found,) = [d for d in documents if d["kind"] == kind]
        claim = found if kind != "StatefulSet" else found["spec"]["volumeClaimTemplates"][0]
        assert claim["metadata"]["labels"][name] == value


def test_the_adapters_rules_give_the_metrics_that_the_autoscaler_wants(tmp_path: Path) -> None:
    promtool = debian_program("promtool", "prometheus")
    (text,) = [block for block in _BLOCKS["yaml"] if block.startswith("rules:")]
    adapter = yaml.safe_load(text)["rules"]["custom"]
    values = CHART / "ci" / "autoscaling-values.yaml"
    done = run_helm("4", "template", "r", CHART, "--values", values)
    spec = one([d for d in yaml.safe_load_all(done.stdout) if d], "HorizontalPodAutoscaler")["spec"]
    wanted = {m["pods"]["metric"]["name"] for m in spec["metrics"] if m["type"] == "Pods"}
    assert {rule["name"]["as"] for rule in adapter} == wanted
    tests, rules = [], []
    for rule in adapter:
        series = rule["seriesQuery"].partition("{")[0]
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'pod="a"')
        rules.append({"record": rule["name"]["as"], "expr": query})
        # In a minute the sum grows by 12 and the count by 6: the mean is 2.
        counts = {series: "0+3x20", series.replace("_sum", "_count"): "0+1.5x20"}
        tests.append(
            {
                "interval": "15s",
                "input_series": [{"series": f'{n}{{pod="a"}}', "values": v} for n, v in counts.items()],
                "promql_expr_test": [
                    {
                        "expr": rule["name"]["as"],
                        "eval_time": "5m",
                        "exp_samples": [{"labels": f'{rule["name"]["as"]}{{pod="a"}}', "value": 2}],
                    }
                ],
            }
        )
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "adapter", "rules": rules}]}))
    test = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": tests}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    checked = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_recipes_for_affinity_are_those_that_a_test_runs() -> None:
    """tests/system/operations/test_affinity.py runs the files."""
    examples = CHART.parents[1] / "operations/examples"
    shown = re.findall(r"`operations/examples/(affinity-[a-z.]+)`:\n\n```[a-z]+\n(.*?)```", _PAGE, re.DOTALL)
    assert sorted(name for name, _ in shown) == sorted(path.name for path in examples.glob("affinity-*"))
    for name, text in shown:
        lines = [line.strip() for line in (examples / name).read_text().splitlines()]
        assert "\n".join(line.strip() for line in text.splitlines()) in "\n".join(lines), name


def test_the_memory_limit_holds_what_docs_deploy_adds_up() -> None:
    """The server, eight answers, all rows, and all tables of the shipped models, with two engines of each."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    told = [int(number) for number in re.findall(r"^\| [^|]+ \| (\d+) \|$", _PAGE, re.MULTILINE)]
    num_models = len([folder for folder in (CHART.parents[1] / "models").iterdir() if folder.is_dir()])
    answers = 8 * Settings.model_fields["max_answer_bytes"].default
    tables = num_models * 2 * values["config"]["max_adaptive_table_bytes"]
    assert (told[1] << 20, told[3] << 20) == (answers, tables)
    assert len(told) == 5
    assert values["resources"]["limits"] == {"cpu": "2", "memory": "1536Mi"}
    assert sum(told) <= 1536
