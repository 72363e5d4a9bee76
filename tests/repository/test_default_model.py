"""Which model answers requests that name none, and which names settings may hold."""

import asyncio
from pathlib import Path

import pytest
from support.live_server import live_server
from support.tiny_models import LINES, TEXT, TinyModel, write_models

from nextchar.engine.options import EngineOptions
from nextchar.entrypoints.app import running
from nextchar.entrypoints.settings import Settings
from nextchar.errors import ModelNotFound, SettingsInvalid, Unavailable
from nextchar.repository.folder import find_models
from nextchar.repository.served_models import ServedModels

SMALL, LARGE = TinyModel(hidden_size=8), TinyModel(hidden_size=32)
LARGE_LINES = TinyModel(hidden_size=64, vocabulary=LINES.vocabulary)


def served(folder: Path, default_model: str | None = None) -> ServedModels:
    options = EngineOptions(1, 0, 1, 10)
    found = find_models(folder)
    return ServedModels(
        found, options, num_threads=1, deliver=lambda _: None, default_model=default_model
    ).__enter__()


@pytest.mark.parametrize(
    ("models", "default"),
    [
        ({"only": LINES}, "only"),
        ({"a-small": SMALL, "b-large": LARGE}, "b-large"),
        ({"c-large": LARGE, "b-large": LARGE, "a-small": SMALL}, "b-large"),
        ({"lines": LARGE_LINES, "text": SMALL}, "text"),
        ({"a-small": LINES, "lines": LARGE_LINES}, "lines"),
    ],
)
def test_the_largest_model_of_running_text_is_the_default(
    tmp_path: Path, models: dict[str, TinyModel], default: str
) -> None:
    with served(write_models(tmp_path, models)) as found:
        assert found.default is not None
        assert found.default.name == default
        assert found.get(None) is found.default


def test_of_the_default_model_the_latest_version_answers(tmp_path: Path) -> None:
    for version in (2, 10):
        write_models(tmp_path, {"a": SMALL}, version=version)
    with served(write_models(tmp_path, {"b": SMALL})) as found:
        assert found.get(None).version == "10"
        found.retire("a", "10")
        assert found.get(None).version == "2"
        found.retire("a", "2")
        assert found.get(None).name == "b"
        found.retire("b", "1")
        assert found.default is None
        with pytest.raises(Unavailable, match="no model is served now"):
            found.get(None)


def test_the_setting_is_the_default_and_nothing_takes_its_place(tmp_path: Path) -> None:
    for version in (1, 2):
        write_models(tmp_path, {"small": SMALL, "large": LARGE}, version=version)
    with served(tmp_path, "small:1") as found:
        assert (found.get(None).name, found.get(None).version) == ("small", "1")
        found.retire("small", "1")
        assert found.default is None
        with pytest.raises(ModelNotFound, match="'small' is not served in version '1'"):
            found.get(None)


@pytest.mark.parametrize(
    ("default", "told"),
    [
        ("zz", "which is not in the models folder; it has: damaged, lines, tiny"),
        ("zz:1", "which is not in the models folder; it has: damaged, lines, tiny"),
        ("tiny:9", "which is not served; the versions of tiny are: 1"),
        ("damaged:2", "which is not served; the versions of damaged are: 1"),
    ],
)
def test_a_default_model_that_is_not_there_is_refused_at_the_start(
    tmp_path: Path, default: str, told: str
) -> None:
    models = write_models(tmp_path, {"tiny": TEXT, "lines": LINES})
    (models / "damaged" / "1").mkdir(parents=True)
    (models / "damaged" / "1" / "step-int8.onnx").write_text("hello")
    settings = Settings(models=models, http_port=0, grpc_port=0, metrics_port=0, default_model=default)

    async def start() -> None:
        async with running(settings):
            raise AssertionError("it started")

    with pytest.raises(SettingsInvalid, match=f"default_model is '{default}', {told}$"):
        asyncio.run(start())


def test_a_default_model_that_is_damaged_may_be_mended(tmp_path: Path) -> None:
    models = write_models(tmp_path, {"tiny": TEXT, "lines": LINES})
    (models / "damaged" / "1").mkdir(parents=True)
    (models / "damaged" / "1" / "step-int8.onnx").write_text("hello")
    with live_server(models, default_model="damaged") as server:
        assert server.post("/v1/next", {"input": "a"}).status_code == 503
    with live_server(models, default_model="lines") as server:
        assert server.post("/v1/next", {"input": "a"}).json()["model"] == "lines"


def test_a_name_without_a_model_in_another_setting_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = write_models(tmp_path, {"tiny": TEXT})
    with live_server(models, model_session_ttl_seconds={"tiny": 9, "tinny": 9}):
        assert (
            "model_session_ttl_seconds names 'tinny', which is not in the models folder: tiny" in caplog.text
        )
        assert "names 'tiny'" not in caplog.text


def test_an_empty_folder_may_get_the_default_model_later(tmp_path: Path) -> None:
    with live_server(tmp_path, default_model="later") as server:
        assert server.post("/v1/next", {"input": "a"}).status_code == 503
        write_models(tmp_path, {"later": TEXT})
        assert server.post("/v2/repository/models/later/load", {}).status_code == 200
        assert server.post("/v1/next", {"input": "a"}).json()["model"] == "later"
