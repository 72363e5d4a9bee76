"""Judges are listed, read again and swapped while the server runs; a bad one harms no other."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from service.judging.served_judges import write_judge
from support.live_server import LiveServer, live_server
from support.tiny_models import BYTES, TEXT
from support.waiting import until

from nextchar.errors import ModelFileError
from nextchar.model.judging.card import FILE_NAME, REFERENCES_NAME
from nextchar.repository.judge_path import judges_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_judge(tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder / "models") as running:
        yield running


def asked(server: LiveServer, judge: str = "words") -> tuple[int, str]:
    """Returns the status, and the version that answered or the error."""
    answer = server.post("/v1/judge", {"judge": judge, "input": ["hello"]})
    found = answer.json()
    return answer.status_code, found["judge_version"] if "judge_version" in found else found["error"][
        "message"
    ]


def reload(server: LiveServer) -> dict[str, str]:
    """Reads the folder again; returns the failures."""
    answer = server.post("/v1/reload_judges", {})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()["failures"]
    return found


def test_a_judge_is_listed_and_described(server: LiveServer) -> None:
    (listed,) = server.get("/v1/judges").json()["data"]
    assert listed == {
        "id": "words",
        "object": "judge",
        "version": "1",
        "model": "lines",
        "model_version": "1",
        "ready": True,
        "kinds": ["xy"],
        "num_normal": 600,
        "default_rate": 0.05,
        "finest_rate": pytest.approx(1 / 6000),
    }
    one = server.get("/v1/judges/words:1").json()
    assert one["card"]["provenance"] == {"command": "tests"}
    assert "curves" not in one["card"]
    assert server.get("/v1/judges/none").status_code == 404


def test_a_name_is_the_latest_version_and_a_version_stays(server: LiveServer, folder: Path) -> None:
    write_judge(folder, version=2, knows_bad=False)
    assert asked(server) == (200, "1")
    assert reload(server) == {}
    assert asked(server) == (200, "2")
    assert asked(server, "words:1") == (200, "1")
    ids = [one["id"] for one in server.get("/v1/judges").json()["data"]]
    assert ids == ["words:1", "words"]
    shutil.rmtree(folder / "judges" / "words" / "2")
    reload(server)
    assert asked(server) == (200, "1")


def test_a_damaged_version_is_told_by_name_and_the_others_are_served(
    server: LiveServer, folder: Path
) -> None:
    damaged = write_judge(folder, version=2)
    (damaged / REFERENCES_NAME).write_bytes(b"other")
    other = write_judge(folder, name="other")
    (other / FILE_NAME).write_text("{}")
    (folder / "judges" / "flat").mkdir()
    (folder / "judges" / "flat" / FILE_NAME).write_text("{}")
    failures = reload(server)
    assert "has changed since the judge was fitted" in failures["words:2"]
    assert "bad judge" in failures["other:1"]
    assert "move it into flat/1" in failures["flat"]
    assert asked(server) == (200, "1")
    assert asked(server, "words:2")[0] == 503
    assert asked(server, "other")[0] == 503
    shutil.rmtree(other)
    assert "other:1" not in reload(server)
    assert asked(server, "other")[0] == 404


def test_a_version_that_is_spoilt_in_its_place_answers_as_before(server: LiveServer, folder: Path) -> None:
    file = folder / "judges" / "words" / "1" / FILE_NAME
    card = file.read_text()
    file.write_text(card[:100])
    assert "bad judge" in reload(server)["words:1"]
    assert asked(server) == (200, "1")
    file.write_text(card)
    assert reload(server) == {}


def test_a_judge_whose_model_is_unloaded_says_so_until_it_is_back(server: LiveServer) -> None:
    assert server.post("/v2/repository/models/lines/unload", {}).status_code == 200
    status, why = asked(server)
    assert status == 503
    assert "judge 'words:1' needs model 'lines:1'" in why
    (listed,) = server.get("/v1/judges").json()["data"]
    assert (listed["ready"], listed["reason"]) == (False, why)
    assert server.post("/v2/repository/models/lines/load", {}).status_code == 200
    assert asked(server) == (200, "1")


def test_a_judge_whose_model_has_changed_says_so(folder: Path) -> None:
    write_judge(folder, name="running", model=TEXT, model_name="tiny")
    file = folder / "judges" / "words" / "1" / FILE_NAME
    card = json.loads(file.read_text())
    card["normal"]["digest"] = "0" * 64
    file.write_text(json.dumps(card))
    with live_server(folder / "models") as server:
        status, why = asked(server)
        assert (status, "fit the judge again, or serve that model" in why) == (503, True)
        assert asked(server, "running") == (200, "1")


def test_a_judge_of_running_text_finds_an_empty_string_normal(folder: Path) -> None:
    write_judge(folder, name="running", model=TEXT, model_name="tiny")
    write_judge(folder, name="raw", model=BYTES, model_name="bytes")
    with live_server(folder / "models") as server:
        for judge in ("running", "raw"):
            answer = server.post("/v1/judge", {"judge": judge, "input": ["", "hello", "xyxyxyxyx"]})
            assert answer.status_code == 200, answer.text
            assert answer.json()["data"][0]["p_value"] == 1


def test_a_folder_that_is_polled_is_followed(folder: Path) -> None:
    with live_server(folder / "models", model_poll_seconds=0.02) as server:
        write_judge(folder, version=2)
        until(lambda: asked(server) == (200, "2"))
        shutil.rmtree(folder / "judges")
        write_judge(folder, name="second")
        until(lambda: asked(server, "second") == (200, "1") and asked(server)[0] == 404)


def test_judges_may_lie_elsewhere_and_be_none(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder / "judges", elsewhere)
    with live_server(folder / "models", judges=elsewhere) as server:
        assert asked(server) == (200, "1")
    with live_server(folder / "models") as server:
        assert server.get("/v1/judges").json() == {"object": "list", "data": [], "failures": {}}
        assert "served judges: none" in asked(server)[1]
    with pytest.raises(ModelFileError, match=r"judges folder '.*gone' does not exist"):
        judges_folder(tmp_path / "gone", folder / "models")


def test_a_link_out_of_the_folder_is_refused(folder: Path, server: LiveServer) -> None:
    outside = write_judge(folder / "outside")
    linked = folder / "judges" / "linked" / "1"
    linked.mkdir(parents=True)
    (linked / FILE_NAME).symlink_to(outside / FILE_NAME)
    assert "leads out of the judges folder" in reload(server)["linked:1"]
