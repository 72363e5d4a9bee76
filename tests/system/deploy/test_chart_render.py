"""Each values file in ci/ renders by both majors of Helm, into what Kubernetes takes and policies allow."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from helm_program import CHART, CI_FILES, MAJORS, Document, of_file, run_helm
from kubernetes_schemas import validated
from support.tools import tool_program

# The oldest that the chart allows, some between, the newest there is a schema of; for which each is rendered.
_KUBERNETES = {"1.25": "1.25.0", "1.29": "1.25.0", "1.31": "1.37.0", "1.34": "1.37.0", "1.37": "1.37.0"}
_CUSTOM = {"ServiceMonitor", "PrometheusRule", "ServingRuntime"}

# Findings that are as they should be, and where; everything else fails.
_ALLOWED = {
    "KSV-0110": "the namespace is chosen at installation",
    "KSV-0125": "the registry is the user's",
    "KSV-01010": "names of settings that sound secret; test_no_config_map_has_a_secret looks at the values",
}
_ALLOWED_IN_TEST_PODS = {
    "KSV-0036": "it asks the Kubernetes API",
    "KSV-0048": "to delete a pod",
}
_ALLOWED_WITHOUT_LIMITS = {"KSV-0011": "no limit of processors", "KSV-0018": "nor of memory"} | {
    "KSV-0015": "no request of processors",
    "KSV-0016": "the test's pod requests no memory",
}
_ALLOWED_ON_OPENSHIFT = {"KSV-0020": "the cluster chooses the user", "KSV-0021": "and the group"}


def steady(document: Document) -> str:
    """An object without what is random in it."""
    text = {**document, "stringData": sorted(document.get("stringData", ()))}
    return json.dumps(text, sort_keys=True)


@pytest.mark.parametrize("major", MAJORS)
def test_lint_has_no_complaint(ci_file: Path, major: str) -> None:
    done = run_helm(major, "lint", "--strict", CHART, "--values", ci_file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_majors_render_the_same(ci_file: Path) -> None:
    three, four = ({steady(d) for d in of_file(ci_file, major)} for major in MAJORS)
    assert three == four
    assert len(three) >= 10


def test_kubernetes_takes_every_object() -> None:
    # Most objects are the same with most values: each is looked at once.
    cases = {
        (version, json.dumps(document)): path.name
        for path in CI_FILES
        for version, rendered_for in _KUBERNETES.items()
        for document in of_file(path, "4", rendered_for)
    }
    wrong, without_schema = validated(
        [(version, name, json.loads(text)) for (version, text), name in cases.items()]
    )
    assert wrong == []
    assert without_schema == _CUSTOM


def test_kubernetes_would_notice_a_wrong_object() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"prots": []}}
    (said,), _ = validated([("1.37", "wrong", wrong)])
    assert "prots" in said


def findings(folder: Path) -> list[dict[str, str]]:
    trivy = tool_program("ops", "trivy")
    command = [trivy, "config", "--skip-check-update", "--skip-version-check", "--quiet", "--format", "json"]
    done = subprocess.run([*command, folder], capture_output=True, text=True, check=True)
    return [
        {"id": found["ID"], "file": result["Target"], "text": found["Message"]}
        for result in json.loads(done.stdout).get("Results", [])
        for found in result.get("Misconfigurations", [])
    ]


def allowed(finding: dict[str, str]) -> bool:
    known = dict(_ALLOWED)
    if "r-nextchar-test" in finding["text"]:
        known |= _ALLOWED_IN_TEST_PODS
    if finding["file"].startswith("openshift"):
        known |= _ALLOWED_ON_OPENSHIFT
    if finding["file"].startswith("unlimited"):
        known |= _ALLOWED_WITHOUT_LIMITS
    return finding["id"] in known


def test_a_policy_linter_finds_nothing(tmp_path: Path) -> None:
    for path in CI_FILES:
        (tmp_path / path.name).write_text(yaml.safe_dump_all(of_file(path)))
    found = findings(tmp_path)
    assert [finding for finding in found if not allowed(finding)] == []
    assert {finding["file"] for finding in found} == {path.name for path in CI_FILES}  # it has read them all


def test_a_policy_linter_would_notice(tmp_path: Path) -> None:
    pod = {"containers": [{"name": "a", "image": "a:latest", "securityContext": {"privileged": True}}]}
    bad = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(bad))
    assert {"KSV-0017", "KSV-0013", "KSV-0011", "KSV-0012", "KSV-0014"} <= {
        f["id"] for f in findings(tmp_path)
    }


@pytest.mark.parametrize(("name", "expected"), [("Dockerfile", []), ("Dockerfile.train", ["DS-0026"])])
def test_the_dockerfiles_are_clean(name: str, expected: list[str], tmp_path: Path) -> None:
    """But that a job, which ends, has no health check (DS-0026)."""
    dockerfile = CHART.parents[1] / name
    done = subprocess.run(
        [tool_program("ops", "hadolint"), dockerfile], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text(dockerfile.read_text())
    assert [finding["id"] for finding in findings(tmp_path)] == expected


@pytest.mark.parametrize("major", MAJORS)
def test_it_packs_without_what_only_tests_need(tmp_path: Path, major: str) -> None:
    done = run_helm(major, "package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (packed,) = tmp_path.glob("nextchar-*.tgz")
    listed = subprocess.run(
        ["tar", "-tzf", packed], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "nextchar/values.schema.json" in listed
    assert not [name for name in listed if name.startswith("nextchar/ci/")]
