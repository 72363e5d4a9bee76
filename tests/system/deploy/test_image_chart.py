"""The chart's Deployment, as Helm renders it, really runs: podman in the place of a kubelet."""

import base64
import json
from collections.abc import Iterator

import httpx
import pytest
import yaml
from helm_program import one, rendered
from image_program import NAME, build, inspect, only_where_asked, podman, wait_for
from support.ports import free_port

from nextchar import __version__

pytestmark = only_where_asked


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The running container's name and its address."""
    build(__version__)
    values = f"image.repository={NAME},image.pullPolicy=Never,config.max_tokens=77"
    documents = rendered("--set", values)
    secret, deployment = one(documents, "Secret", "r-nextchar-state"), one(documents, "Deployment")
    # podman 4.3 reads a Secret's values as its own secrets have them.
    encoded = {k: base64.b64encode(v.encode()).decode() for k, v in secret["stringData"].items()}
    podman("secret", "create", "r-nextchar-state", "-", input=json.dumps(encoded))
    # A kubelet would reach the pod by its address; here its ports are the loopback's.
    ports = [free_port() for _ in range(3)]
    for number, port in zip(
        ports, deployment["spec"]["template"]["spec"]["containers"][0]["ports"], strict=True
    ):
        port |= {"hostIP": "127.0.0.1", "hostPort": number}
    file = tmp_path_factory.mktemp("kube") / "kube.yaml"
    file.write_text(yaml.safe_dump_all([one(documents, "ConfigMap"), deployment]))
    try:
        podman("play", "kube", file)
        url = f"http://127.0.0.1:{ports[0]}"
        wait_for(url + "/v2/health/ready")
        yield "r-nextchar-pod-0-nextchar", url
    finally:
        podman("play", "kube", "--down", file, check=False)
        podman("secret", "rm", "r-nextchar-state", check=False)


def test_it_answers_by_its_config_map(played: tuple[str, str]) -> None:
    _, url = played
    body = {"model": "shakespeare", "input": ["hello"]}
    assert httpx.post(url + "/v1/score", json=body, timeout=30).json()["data"][0]["logprob"] < 0
    refused = httpx.post(url + "/v1/completions", json={"model": "shakespeare", "max_tokens": 78})
    assert "the limit is 77" in refused.json()["error"]["message"]


def test_it_is_as_locked_as_the_chart_says(played: tuple[str, str]) -> None:
    found = inspect("container", played[0])
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert not found["EffectiveCaps"]
    assert found["Config"]["User"] == "10001:10001"
    assert "no-new-privileges" in found["HostConfig"]["SecurityOpt"]
    assert found["HostConfig"]["Memory"] == 1024**3
    assert found["HostConfig"]["NanoCpus"] == 2_000_000_000


def test_what_a_session_is_sealed_with_is_the_secret(played: tuple[str, str]) -> None:
    code = "import os; print(len(os.environ['NEXTCHAR_STATE_KEY']))"
    assert podman("exec", played[0], "python3", "-c", code).stdout == "48\n"


def test_it_drains_and_ends_with_0(played: tuple[str, str]) -> None:
    podman("stop", "--time", "30", played[0])
    assert inspect("container", played[0])["State"]["ExitCode"] == 0
