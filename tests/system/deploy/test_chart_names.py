"""Whatever a release is called and whatever text a value is, the objects have names that Kubernetes takes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm.values import values
from helm_program import CHART, CI_FILES, MAJORS, Document, of_file, refusal, rendered
from kubernetes_schemas import validated
from test_chart_values import paths

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")  # RFC 1035
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")  # RFC 1123
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_MAX_CHARS = {"Service": 63, "Job": 63, "StatefulSet": 63 - 11}
_CUSTOM = {"ServiceMonitor", "PrometheusRule", "ServingRuntime"}

# Helm takes these as names of releases: at most 53 characters of labels that are joined by dots.
_RELEASES = [
    "1.nextchar",
    "nextchar.eu",
    "1",
    "1e3",
    "true",
    "9-x.y.z",
    "a" * 53,
    "a.b-" * 13 + "c",
    "1" * 53,
    "nextchar",
]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Values by which every kind of object is made."""
    file = tmp_path_factory.mktemp("values") / "everything.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "sessions": {"store": "valkey"},
                "valkey": {"enabled": True},
                "training": {"enabled": True, "image": "a/b:1", "name": "Names.eu_1"},
                "ingress": {"enabled": True, "host": "a.example", "grpcHost": "b.example", "tlsSecret": "c"},
                "tls": {"enabled": True, "cert": "a", "key": "b"},
                "auth": {"enabled": True, "keys": "a"},
                **{name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")},
                **{name: {"enabled": True} for name in ("networkPolicy", "kserve", "autoscaling")},
            }
        )
    )
    return file


def check_names(documents: list[Document]) -> None:
    for document in documents:
        kind, name = document["kind"], document["metadata"]["name"]
        assert isinstance(name, str), document
        rule = _LABEL if kind in ("Service", "StatefulSet", "Job", "Pod") else _SUBDOMAIN
        assert rule.fullmatch(name), (kind, name)
        assert len(name) <= _MAX_CHARS.get(kind, 253), (kind, name)
    for labels in _all(documents, "labels", "matchLabels", "selector", "podSelector"):
        for label, value in labels.items():
            if not isinstance(value, dict):
                assert isinstance(value, str), (label, value)
                assert _LABEL_VALUE.fullmatch(value), (label, value)
                assert len(value) <= 63, (label, value)


def _all(part: Any, *names: str) -> Iterator[dict[str, Any]]:
    for name, inner in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(inner, dict) and name in names:
            yield inner
        if isinstance(inner, dict | list):
            yield from _all(inner, *names)


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_every_release_has_names_that_kubernetes_takes(everything: Path, kind: str, major: str) -> None:
    cases = []
    for release in _RELEASES:
        documents = rendered("--values", everything, "--set", f"kind={kind}", major=major, release=release)
        check_names(documents)
        names = [(d["kind"], d["metadata"]["name"]) for d in documents]
        assert len(set(names)) == len(names) >= 25
        cases += [("1.37", release, document) for document in documents]
    wrong, without_schema = validated(cases)
    assert wrong == []
    assert without_schema == _CUSTOM


def test_a_name_that_was_right_stays() -> None:
    for release, name in (("r", "r-nextchar"), ("nextchar", "nextchar"), ("a--b", "a--b-nextchar")):
        documents = rendered(release=release)
        assert {d["metadata"]["name"] for d in documents if d["kind"] == "Deployment"} == {name}


def test_other_characters_become_dashes_and_a_letter_comes_first() -> None:
    names = {
        release: next(d["metadata"]["name"] for d in rendered(release=release) if d["kind"] == "Deployment")
        for release in ("1.nextchar", "team.a", "7")
    }
    assert names == {"1.nextchar": "r-1-nextchar", "team.a": "team-a-nextchar", "7": "r-7-nextchar"}


@pytest.mark.parametrize(
    "override",
    ["nameOverride=My.App_2", "fullnameOverride=1.Texts", "fullnameOverride=on", "nameOverride=12"],
)
def test_an_override_is_made_such_a_name_too(everything: Path, override: str) -> None:
    documents = rendered("--values", everything, "--set-string", override)
    check_names(documents)
    assert validated([("1.37", override, document) for document in documents])[0] == []


@pytest.mark.parametrize("text", ["1e3", "true"])
def test_a_value_that_is_text_stays_text(everything: Path, text: str) -> None:
    """YAML reads these as a number and a truth value where a template leaves the quotes out."""
    free = {
        name
        for name, part in paths(values())
        if part.get("type") == "string" and not {"pattern", "enum"} & part.keys()
    } - {"training.image", "training.corpus"}
    given = ",".join(f"{name}={text}" for name in free if "valkey" not in name)
    assert given.count("=") >= 20
    objects = {
        json.dumps(document): file.name
        for file in (everything, *CI_FILES)
        for document in rendered("--values", file, "--set-string", given)
    }
    assert validated([("1.37", name, json.loads(one)) for one, name in objects.items()])[0] == []


def without(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every value, and whether it may be null."""
    for name, part in schema["properties"].items():
        may_be_null = name not in schema.get("required", ())
        yield prefix + name, may_be_null
        if "properties" in part and not may_be_null:
            yield from without(part, f"{prefix}{name}.")


def test_what_may_be_null_may_be_left_out(ci_file: Path) -> None:
    """Where a file does not set it. What may not is refused by name, not by a template."""
    given = yaml.safe_load(ci_file.read_text()) or {}
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    nothing = [
        f"{name}=null"
        for name, may_be_null in without(values())
        if may_be_null
        and not _has(given, name)
        and _has(defaults, name)
        and not ("autoscaling" in given and name == "resources")  # the target is a share of the request
    ]
    assert len(nothing) > 30
    cases = []
    for major in MAJORS:
        documents = rendered("--values", ci_file, "--set", ",".join(nothing), major=major)
        cases += [("1.37", ci_file.name, document) for document in documents]
    assert [document["kind"] for document in of_file(ci_file)] == [
        d["kind"] for _, _, d in cases[: len(cases) // 2]
    ]
    assert validated(cases)[0] == []


def _has(found: Any, name: str) -> bool:
    """Whether values have one, or a part of it, or what it is a part of is null there."""
    for part in name.split("."):
        if found is None:
            return True
        if part not in found:
            return False
        found = found[part]
    return True


@pytest.mark.parametrize("major", MAJORS)
def test_what_may_not_be_null_is_refused_by_name(major: str) -> None:
    required = [name for name, may_be_null in without(values()) if not may_be_null and name != "config"]
    leaves = [n for n in required if not any(other.startswith(n + ".") for other in required)]
    assert len(leaves) > 50
    said = refusal("--set", ",".join(f"{name}=null" for name in leaves), major=major)
    for name in leaves:
        assert name.rpartition(".")[2] in said, name
    assert "nil pointer" not in said
