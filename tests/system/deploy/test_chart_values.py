"""Wrong values are refused before anything is installed, and what is refused is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.chart import stale
from helm.schema import DECIDED
from helm.values import values
from helm_program import CHART, CI_FILES, MAJORS, of_file, pod_specs, refusal, rendered, server_pod

# What is set, and what the refusal must name.
_WRONG = {
    "replicaCuont=2": "replicaCuont",
    "replicaCount=-1": "replicaCount",
    "replicaCount=two": "replicaCount",
    "kind=DaemonSet": "kind",
    "image.pullPolicy=Sometimes": "pullPolicy",
    "image.digest=latest": "digest",
    "config.max_lane=8": "max_lane",
    "config.max_lanes=0": "max_lanes",
    "config.log_level=loud": "log_level",
    "config.http_port=9000": "http_port",
    "probes.type=tcp": "type",
    "probes.readiness.periodSeconds=0": "periodSeconds",
    "service.httpPort=80": "httpPort",
    "sessions.store=redis": "store",
    "sessions.stateKey.value=short": "value",
    "sessions.valkey.url=http://cache": "url",
    "autoscaling.maxReplicas=0": "maxReplicas",
    "autoscaling.targetQueueSeconds=soon": "targetQueueSeconds",
    "drain.preStopSeconds=0": "preStopSeconds",
    "resources.limits.memory=lots": "memory",
    "tls.enabled=maybe": "enabled",
    "models.source=s3": "source",
    "judges.source=none": "source",
    "config.judges=/judges": "judges",
    "valkey.password=short": "password",
    "runAsUser=0": "runAsUser",
    "resources.limits.memroy=1Gi": "memroy",
    "resources.limits.cpu=-1": "cpu",
    "extraEnv[0].value=1": "name",
    "extraEnv[0].name=A=B,extraEnv[0].value=x": "name",
    "nameOverride=my app": "nameOverride",
    "fullnameOverride=-x": "fullnameOverride",
    "training.name=a/b": "name",
    "ingress.host=Not A Host": "host",
}

# Values that are right alone and wrong together, and what the refusal must say.
_AT_ODDS = {
    "sessions.store=valkey": "set sessions.valkey.url",
    "valkey.enabled=true": "set sessions.store to valkey",
    "sessions.store=disk,replicaCount=2": "set kind to StatefulSet",
    "sessions.store=disk,autoscaling.enabled=true": "set kind to StatefulSet",
    "models.source=claim": "set models.existingClaim",
    "models.source=init": "set models.init.image",
    "judges.source=claim": "set judges.existingClaim",
    "judges.source=init": "set judges.init.image",
    "auth.enabled=true": "set auth.keys or auth.existingSecret",
    "tls.enabled=true": "set tls.existingSecret",
    "tls.enabled=true,tls.existingSecret=a,probes.type=grpc": "cannot speak TLS",
    "tls.enabled=true,tls.cert=a,tls.key=b,tls.clientCerts=true": "set tls.clientCa",
    "training.enabled=true": "set training.image",
    "ingress.enabled=true": "set ingress.host",
    "ingress.enabled=true,ingress.grpcHost=a.example": "set ingress.tlsSecret",
    "autoscaling.enabled=true,resources.requests.cpu=null,resources.limits=null": "resources.requests.cpu",
    "podLabels.app\\.kubernetes\\.io/name=other": "podLabels: the chart itself sets app.kubernetes.io/name",
    "podAnnotations.checksum/config=x": "podAnnotations: the chart itself sets checksum/config",
    "serviceMonitor.enabled=true,serviceMonitor.labels.helm\\.sh/chart=x": "serviceMonitor.labels: the chart",
}


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("wrong", _WRONG)
def test_a_wrong_value_is_refused_by_name(wrong: str, major: str) -> None:
    said = refusal("--set", wrong, major=major)
    assert "values.schema.json" in said or "schema" in said
    assert _WRONG[wrong] in said


@pytest.mark.parametrize("at_odds", _AT_ODDS)
def test_values_at_odds_are_refused_with_the_way_out(at_odds: str) -> None:
    assert _AT_ODDS[at_odds] in refusal("--set", at_odds)


def test_the_schema_the_table_and_what_templates_know_of_settings_are_made() -> None:
    assert stale() == [], "make chart"


def paths(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema["properties"].items():
        yield prefix + name, part
        if "properties" in part:
            yield from paths(part, f"{prefix}{name}.")


def test_no_group_takes_an_unknown_name() -> None:
    groups = [part for _, part in paths(values()) if "properties" in part]
    assert all(part["additionalProperties"] is False for part in [values(), *groups])


def test_every_value_has_a_default_and_a_sentence() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for path, part in paths(values()):
        assert part["description"].rstrip().endswith((".", "0", "none")), path
        if path.startswith(("config.", "global")):
            continue
        found = defaults
        for name in path.split("."):
            assert name in found, path
            found = found[name]


def given(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from given(part, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix, value


def test_every_feature_has_a_file_of_values() -> None:
    """Each switch is on and each choice is made in one of them."""
    shown: dict[str, set[Any]] = {}
    for path in (*CI_FILES, Path(CHART / "values.yaml")):
        for name, value in given(yaml.safe_load(path.read_text()) or {}):
            shown.setdefault(name, set()).add(str(value))
    for name, part in paths(values()):
        if name.startswith("config.") or name.endswith("pullPolicy") or name == "service.type":
            continue
        wanted = {"True"} if part.get("type") == "boolean" else set(part.get("enum", ()))
        assert wanted <= shown.get(name, set()), name


def test_what_a_value_decides_is_no_additional_variable() -> None:
    for name, value in DECIDED.items():
        variable = f"NEXTCHAR_{name.upper()}"
        said = refusal("--set", f"extraEnv[0].name={variable},extraEnv[0].value=x")
        assert f"extraEnv: {variable} is set by the value {value}" in said


def test_limits_that_are_null_are_left_out() -> None:
    resources = server_pod(of_file(CHART / "ci" / "unlimited-values.yaml"))["containers"][0]["resources"]
    assert resources == {"requests": {"memory": "512Mi", "ephemeral-storage": "1Gi"}}
    (pod,) = [
        p for name, p in pod_specs(rendered("--set", "resources=null")) if name == "Deployment/r-nextchar"
    ]
    assert pod["containers"][0]["resources"] == {}


def test_an_amount_is_a_number_or_a_string() -> None:
    documents = rendered("--set", "resources.limits.cpu=2,resources.requests.cpu=0.5")
    resources = server_pod(documents)["containers"][0]["resources"]
    assert (resources["limits"]["cpu"], resources["requests"]["cpu"]) == (2, "0.5")
