"""The program that `helm test` runs, as the chart renders it, against real servers that are really killed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_cluster import Cluster, kubernetes_api
from helm_program import CHART, of_file, one
from support.ports import free_port

_CI = CHART / "ci"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def cluster(models: Path, tmp_path: Path, port: int) -> Iterator[Cluster]:
    made = Cluster(models, port, ["--data-dir", str(tmp_path / "data")])
    made.start_pod()
    yield made
    made.kill_pod()


def run(name: str, cluster: Cluster, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The test pod's program in the environment that the chart gives it, its addresses apart."""
    documents = of_file(_CI / f"{name}-values.yaml")
    (container,) = one(documents, "Pod", "r-nextchar-test")["spec"]["containers"]
    program = tmp_path / "session_test.py"
    program.write_text(one(documents, "ConfigMap", "r-nextchar-test")["data"]["session_test.py"])
    given = {v["name"]: v["value"] for v in container["env"] if "value" in v}
    account = tmp_path / "account"
    account.mkdir()
    with kubernetes_api(cluster, account) as api_port:
        places = {
            "URL": f"http://127.0.0.1:{cluster.port}",
            "PORT": str(cluster.port),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(api_port),
            "ACCOUNT": str(account),
            "TIMEOUT_SECONDS": "60",
        }
        return subprocess.run(
            [sys.executable, program],
            env=given | places,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.mark.parametrize("values", ["disk", "statefulset"])
def test_a_session_goes_on_after_its_pod_is_deleted(values: str, cluster: Cluster, tmp_path: Path) -> None:
    done = run(values, cluster, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.deleted == ["pod-0"]
    assert len(cluster.generations) == 2
    assert "the session continued where it was" in done.stdout


def test_with_sessions_in_memory_no_pod_is_deleted(cluster: Cluster, tmp_path: Path) -> None:
    done = run("default", cluster, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.deleted == []


def test_a_session_that_is_lost_fails_the_test(cluster: Cluster, tmp_path: Path) -> None:
    cluster.options = ["--session-store", "memory:"]  # of the pod that comes next
    cluster.kill_pod()
    cluster.start_pod()
    done = run("disk", cluster, tmp_path)
    assert done.returncode != 0
    assert "no continuation: HTTP Error 404" in done.stderr


def test_the_test_pod_may_do_what_it_does_and_no_more() -> None:
    documents = of_file(_CI / "valkey-values.yaml")
    role = one(documents, "Role", "r-nextchar-test")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]}]
    binding = one(documents, "RoleBinding", "r-nextchar-test")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "r-nextchar-test", "namespace": "n"}]
    hooks = [d for d in documents if d["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]
    assert sorted(d["kind"] for d in hooks) == ["ConfigMap", "Pod", "Role", "RoleBinding", "ServiceAccount"]
