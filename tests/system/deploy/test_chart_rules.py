"""What the rendered objects must say, whatever the values."""

import math
import os
import re
from pathlib import Path

import pytest
import yaml
from helm.schema import DECIDED
from helm_program import CHART, CI_FILES, Document, of_file, one, pod_specs, rendered, server_pod

from nextchar import __version__
from nextchar.entrypoints.settings import Settings
from nextchar.errors import ForeignRequest
from nextchar.rest.http.strangers import StrangerCheck

_CI = CHART / "ci"


def containers(pod: Document) -> list[Document]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_every_pod_is_restricted_and_cannot_write_its_root(ci_file: Path) -> None:
    """Pod Security's `restricted`, control by control (kubernetes.io/docs/concepts/security)."""
    for name, pod in pod_specs(of_file(ci_file)):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert all("hostPath" not in volume for volume in pod["volumes"]), name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert security["runAsNonRoot"] is True, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert "privileged" not in security, name


def test_every_container_has_limits_and_an_image_that_stays(ci_file: Path) -> None:
    """But those whose limits the values take away."""
    for name, pod in pod_specs(of_file(ci_file)):
        for container in containers(pod):
            limits = container["resources"].get("limits", {})
            assert {"cpu", "memory"} <= limits.keys() or ci_file.name.startswith("unlimited"), name
            tag = re.search(r"(:[^:/]+|@sha256:[0-9a-f]{64})$", container["image"])
            assert tag, container["image"]
            assert tag[1] != ":latest", name


def test_no_pod_has_a_token_but_the_test_that_deletes_a_pod(ci_file: Path) -> None:
    documents = of_file(ci_file)
    for name, pod in pod_specs(documents):
        environment = {v["name"]: v.get("value") for v in pod["containers"][0].get("env", ())}
        with_token = name == "Pod/r-nextchar-test" and environment["CONTINUE"] != ""
        assert pod["automountServiceAccountToken"] is with_token, name
        assert pod["enableServiceLinks"] is False, name  # Kubernetes' own variables would look like settings
    for account in (d for d in documents if d["kind"] == "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_volumes_and_mounts_agree(ci_file: Path) -> None:
    documents = of_file(ci_file)
    for document in documents:
        claims = [c["metadata"]["name"] for c in document.get("spec", {}).get("volumeClaimTemplates", [])]
        for name, pod in pod_specs([document]):
            there = {volume["name"] for volume in pod["volumes"]} | set(claims)
            mounted = {m["name"] for c in containers(pod) for m in c.get("volumeMounts", [])}
            assert mounted == there, name


def test_secrets_and_config_maps_that_are_named_exist_or_are_given(ci_file: Path) -> None:
    documents, given = of_file(ci_file), str(yaml.safe_load(ci_file.read_text()))
    made = {d["metadata"]["name"] for d in documents if d["kind"] in ("Secret", "ConfigMap")}
    names = re.findall(
        r"(?:secretName|configMap|configMapRef|secretKeyRef|secretRef)'?: (?:\{'name': )?'([^']+)'",
        str(documents),
    )
    assert names
    for name in names:
        assert name in made or f"'{name}'" in given, name


def test_selectors_find_the_server_and_nothing_else() -> None:
    documents = of_file(_CI / "valkey-values.yaml")
    labels = one(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    valkey = one(documents, "StatefulSet", "r-nextchar-valkey")["spec"]["template"]["metadata"]["labels"]
    for kind, name in (("Service", "r-nextchar"), ("Service", "r-nextchar-headless")):
        selector = one(documents, kind, name)["spec"]["selector"]
        assert selector.items() <= labels.items()
        assert not selector.items() <= valkey.items()
    budget = one(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert budget.items() <= labels.items()
    assert not budget.items() <= valkey.items()


def test_the_grace_period_covers_the_drain(ci_file: Path) -> None:
    pod = server_pod(of_file(ci_file))
    values = yaml.safe_load((CHART / "values.yaml").read_text()), yaml.safe_load(ci_file.read_text())
    drain = values[0]["drain"] | values[1].get("drain", {})
    timeout = (values[0]["config"] | values[1].get("config", {}))["shutdown_timeout_seconds"]
    assert pod["containers"][0]["lifecycle"]["preStop"] == {"sleep": {"seconds": drain["preStopSeconds"]}}
    assert pod["terminationGracePeriodSeconds"] == sum(drain.values()) + math.ceil(timeout)


def test_before_kubernetes_1_30_the_images_own_python_waits() -> None:
    pod = server_pod(of_file(_CI / "default-values.yaml", "4", "1.29.0"))
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][0] == "python3"


def test_the_drain_bound_is_the_servers_own_default() -> None:
    given = yaml.safe_load((CHART / "values.yaml").read_text())["config"]["shutdown_timeout_seconds"]
    assert given == Settings.model_fields["shutdown_timeout_seconds"].default


def test_without_a_drain_bound_the_grace_period_covers_the_servers_own() -> None:
    bound = Settings.model_fields["shutdown_timeout_seconds"].default
    drain = yaml.safe_load((CHART / "values.yaml").read_text())["drain"]
    pod = server_pod(rendered("--set", "config.shutdown_timeout_seconds=null"))
    assert pod["terminationGracePeriodSeconds"] == sum(drain.values()) + math.ceil(bound)


def test_the_server_takes_the_environment_it_is_given(ci_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = of_file(ci_file)
    environment = dict(one(documents, "ConfigMap")["data"])
    for variable in server_pod(documents)["containers"][0]["env"]:
        secret = variable.get("valueFrom", {}).get("secretKeyRef")
        if secret is None:  # one of extraEnv
            environment[variable["name"]] = variable.get("value", "elsewhere")
            continue
        made = [d for d in documents if d["kind"] == "Secret" and d["metadata"]["name"] == secret["name"]]
        environment[variable["name"]] = made[0]["stringData"][secret["key"]] if made else "valkey://elsewhere"
    for name in [name for name in os.environ if name.startswith("NEXTCHAR_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    config = yaml.safe_load(ci_file.read_text()).get("config", {})
    assert {name: getattr(settings, name) for name in config} == config
    assert (settings.host, settings.models) == ("::", Path("/models"))


def test_a_server_without_keys_is_called_by_the_names_of_its_services(ci_file: Path) -> None:
    documents = of_file(ci_file)
    data = one(documents, "ConfigMap")["data"]
    if {"NEXTCHAR_API_KEYS_FILE", "NEXTCHAR_TLS_KEY_FILE"} & data.keys():
        assert "NEXTCHAR_ALLOWED_HOSTS" not in data
        return
    check = StrangerCheck(origins="", hosts=data["NEXTCHAR_ALLOWED_HOSTS"])
    for service in ("r-nextchar", "r-nextchar-headless"):
        one(documents, "Service", service)
        for name in (service, f"{service}.n", f"{service}.n.svc", f"{service}.n.svc.cluster.local"):
            check.check("POST", [(b"host", f"{name}:8000".encode())])
    with pytest.raises(ForeignRequest):
        check.check("POST", [(b"host", b"evil.example")])


def test_what_other_values_decide_are_settings() -> None:
    assert Settings.model_fields.keys() >= DECIDED.keys()


def test_no_config_map_has_a_secret() -> None:
    """A Secret's every value is looked for in everything that is no Secret."""
    seen: set[str] = set()
    for path in CI_FILES:
        documents = of_file(path)
        secrets = {v for d in documents for v in d.get("stringData", {}).values() if len(v) > 15}
        seen |= secrets
        rest = str([d for d in documents if d["kind"] != "Secret"])
        assert not [value for value in secrets if value in rest], path
    assert len(seen) > len(CI_FILES)


def test_the_probes_ask_the_ports_that_are_there() -> None:
    protocols = {"default": "httpGet", "tls-given": "httpGet", "tls": "tcpSocket", "placement": "grpc"}
    for name, protocol in protocols.items():
        container = server_pod(of_file(_CI / f"{name}-values.yaml"))["containers"][0]
        probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
        assert all(protocol in probe for probe in probes.values())
        if protocol == "tcpSocket":  # clients need a certificate, and a kubelet has none
            continue
        if protocol == "grpc":
            assert [probe["grpc"].get("service", "") for probe in probes.values()] == ["", "", "liveness"]
            continue
        paths = [probe["httpGet"]["path"].rsplit("/", 1)[1] for probe in probes.values()]
        assert paths == ["ready", "ready", "live"]
        assert all(
            probe["httpGet"].get("scheme") == ("HTTPS" if name == "tls-given" else None)
            for probe in probes.values()
        )


def test_the_autoscaler_looks_at_cores_queue_and_lanes() -> None:
    documents = of_file(_CI / "autoscaling-values.yaml")
    spec = one(documents, "HorizontalPodAutoscaler")["spec"]
    pods = {m["pods"]["metric"]["name"]: m["pods"]["target"] for m in spec["metrics"] if m["type"] == "Pods"}
    assert pods == {
        "nextchar_queue_seconds": {"type": "AverageValue", "averageValue": "50m"},
        "nextchar_lanes": {"type": "AverageValue", "averageValue": "96"},
    }
    assert [m["resource"]["name"] for m in spec["metrics"] if m["type"] == "Resource"] == ["cpu"]
    assert (
        "replicas" not in one(documents, "Deployment")["spec"]
    )  # or every upgrade would undo the autoscaler


def test_the_network_policy_lets_in_who_is_named_and_the_releases_own() -> None:
    documents = of_file(_CI / "network-policy-values.yaml")
    spec = one(documents, "NetworkPolicy")["spec"]
    protocols, metrics = spec["ingress"]
    assert [port["port"] for port in protocols["ports"]] == ["http", "grpc"]
    test_pod = one(documents, "Pod", "r-nextchar-test")["metadata"]["labels"]
    assert protocols["from"][0]["podSelector"]["matchLabels"].items() <= test_pod.items()
    assert metrics["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]
    assert [sorted(port["port"] for port in rule["ports"]) for rule in spec["egress"]] == [[53, 53], [6379]]


def test_one_version_everywhere() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__
    image = server_pod(of_file(_CI / "default-values.yaml"))["containers"][0]["image"]
    assert image.rsplit(":", 1)[1] == __version__


def test_judges_are_mounted_where_the_server_reads_them() -> None:
    for name in ("models-claim", "models-init"):
        documents = of_file(_CI / f"{name}-values.yaml")
        mounts = server_pod(documents)["containers"][0]["volumeMounts"]
        (judges,) = [mount for mount in mounts if mount["name"] == "judges"]
        assert judges["mountPath"] == one(documents, "ConfigMap")["data"]["NEXTCHAR_JUDGES"]
        assert judges["readOnly"] is True
    fetching = {pod["name"]: pod for pod in server_pod(documents)["initContainers"]}
    assert list(fetching) == ["models", "judges"]
    assert {"name": "judges", "mountPath": "/judges"} in fetching["judges"]["volumeMounts"]
    default = one(of_file(_CI / "default-values.yaml"), "ConfigMap")["data"]
    assert "NEXTCHAR_JUDGES" not in default  # else a server whose image has no such folder would not start


def test_config_changes_roll_the_pods() -> None:
    sums = [
        one(rendered("--set", f"config.max_tokens={n}"), "Deployment")["spec"]["template"]["metadata"][
            "annotations"
        ]
        for n in (7, 8)
    ]
    assert sums[0]["checksum/config"] != sums[1]["checksum/config"]


def test_additional_variables_come_after_those_of_the_chart() -> None:
    """Kubernetes expands a reference to a variable that comes before it."""
    documents = of_file(_CI / "unlimited-values.yaml")
    variables = server_pod(documents)["containers"][0]["env"]
    assert [variable["name"] for variable in variables] == [
        "NEXTCHAR_STATE_KEY",
        "OTEL_RESOURCE_ATTRIBUTES",
        "NODE_ADDRESS",
        "NEXTCHAR_OTLP_ENDPOINT",
    ]
    assert variables[2]["valueFrom"] == {"fieldRef": {"fieldPath": "status.hostIP"}}


def test_the_ingress_hashes_the_names_of_sessions_where_every_call_has_one() -> None:
    documents = of_file(_CI / "ingress-values.yaml")
    found = {}
    for ingress in (d for d in documents if d["kind"] == "Ingress"):
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        key = ingress["metadata"]["annotations"].get("nginx.ingress.kubernetes.io/upstream-hash-by")
        found[rule["host"], path["path"]] = (path["backend"]["service"]["port"]["name"], key)
        assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "ours"
    assert found == {
        ("texts.example", "/"): ("http", None),
        ("texts.example", "/v1/sessions"): ("http", "$http_x_session_id"),
        ("grpc.texts.example", "/"): ("grpc", None),
        ("grpc.texts.example", "/nextchar.v1.Sessions"): ("grpc", "$http_x_session_id"),
    }
    hosts = one(documents, "ConfigMap")["data"]["NEXTCHAR_ALLOWED_HOSTS"]
    StrangerCheck(origins="", hosts=hosts).check("POST", [(b"host", b"texts.example")])
