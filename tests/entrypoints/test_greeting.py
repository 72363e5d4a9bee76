"""What a server prints when it is up: its default model, and examples that work as they are."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.live_server import TLS, LiveServer, live_server
from support.tiny_models import CHARACTERS, GOLDEN, LINES, TEXT, TinyModel, write_models

from nextchar.entrypoints.commands.serve import _greeting
from nextchar.model.card import Golden
from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope


@contextmanager
def greeted(models: Path, **settings: Any) -> Iterator[tuple[LiveServer, str]]:
    with live_server(models, **settings) as server:
        yield server, _greeting(server.settings, server.app)


def examples(greeting: str) -> list[list[str]]:
    """The commands, as a shell splits them."""
    return [shlex.split(line) for line in greeting.partition("Try:\n")[2].strip().splitlines()]


def run(command: list[str], key: str = "") -> httpx.Response:
    """Makes the call of a command."""
    program, silent, url, *options = (part.replace("$NEXTCHAR_API_KEY", key) for part in command)
    assert (program, silent) == ("curl", "-s")
    given = dict(zip(options[::2], options[1::2], strict=True))
    name, _, value = given.get("-H", "").partition(": ")
    headers = {"content-type": "application/json"} | ({name: value} if name else {})
    return httpx.post(url, content=given["--json"], headers=headers, verify=TLS, timeout=30)


def test_the_examples_ask_the_default_model_for_what_it_has_learnt(tmp_path: Path) -> None:
    large = TinyModel(hidden_size=40)
    models = write_models(tmp_path, {"a": TEXT, "lines": LINES, "large": large})
    with greeted(models) as (_, greeting):
        assert "nextchar serves a, large, lines\n" in greeting
        assert "  default  large, the model of requests that name none" in greeting
        answers = [run(command) for command in examples(greeting)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert {answer.json()["model"] for answer in answers} == {"large"}
        known = re.findall(r'"prompt": "([^"]+)"', greeting)[0]
        assert known in GOLDEN[-1]
    with greeted(models, default_model="lines") as (_, greeting):
        assert {run(command).json()["model"] for command in examples(greeting)} == {"lines"}


@pytest.mark.parametrize("text", ['it\'s "so" \\ $x `y` !', "'\"\\", "é ☃", ""])
def test_the_examples_need_no_quoting(tmp_path: Path, text: str) -> None:
    vocabulary = TEXT.vocabulary
    assert set("its") <= set(CHARACTERS)
    from nextchar.model.golden import score_strings

    draft = TEXT.step()
    (score,) = score_strings(draft, [vocabulary.encode(text)])
    folder = tmp_path / "m" / "1"
    folder.mkdir(parents=True)
    golden = [Golden(text=text, logprob=score)]
    (folder / "step-int8.onnx").write_bytes(TEXT.step_bytes(golden=golden))
    with greeted(tmp_path) as (_, greeting):
        assert [run(command).status_code for command in examples(greeting)] == [200, 200, 200]


def test_where_keys_are_needed_the_examples_send_one(models: Path, tmp_path: Path) -> None:
    key, record = make_key("ann", list(Scope), expires=None)
    file = tmp_path / "keys.jsonl"
    file.write_text(record.line + "\n")
    with greeted(models, api_keys_file=file) as (_, greeting):
        commands = examples(greeting)
        assert all("Authorization: Bearer $NEXTCHAR_API_KEY" in command for command in commands)
        assert [run(command, key).status_code for command in commands] == [200, 200, 200]
        assert [run(command, "no key").status_code for command in commands] == [401, 401, 401]
    with greeted(models) as (_, greeting):
        assert "Authorization" not in greeting


def test_without_a_model_there_is_no_default(tmp_path: Path) -> None:
    with greeted(tmp_path) as (_, greeting):
        assert "nextchar serves no model yet" in greeting
        assert "  default  none yet\n" in greeting
        assert [run(command).status_code for command in examples(greeting)] == [200]
