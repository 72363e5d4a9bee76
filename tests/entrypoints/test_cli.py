"""The command line works on a model file with no server, and says what the server says."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer
from support.tiny_models import TEXT

from nextchar.entrypoints import added_commands
from nextchar.entrypoints import main as main_module
from nextchar.entrypoints.main import main


@pytest.fixture
def tiny(models: Path) -> str:
    return str(models / "tiny")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, prog_name="nextchar")


def ok(*arguments: str, stdin: str | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_score_says_what_the_server_says(server: LiveServer, tiny: str) -> None:
    texts = ["hello", "", "a\N{SNOWMAN}"]
    answer = server.post("/v1/score", {"model": "tiny", "input": texts, "return_chars": True}).json()
    assert json.loads(ok("score", tiny, *texts, "--return-chars", "--json")) == answer


def test_score_prints_a_line_a_string(tiny: str) -> None:
    lines = ok("score", tiny, "hello", "abc").splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["logprob", "bits/char", "percentile", "p-value", "chars", "unknown", "text"]
    assert lines[1].endswith("'hello'")


def test_strings_come_from_standard_input_too(tiny: str) -> None:
    assert ok("score", tiny, stdin="hello\nabc\n") == ok("score", tiny, "hello", "abc")


def test_more_strings_than_a_server_takes_are_fine(tiny: str) -> None:
    assert len(ok("score", tiny, stdin="ab\n" * 3000).splitlines()) == 3001


def test_compare_ranks_by_two_models_of_a_server_only(server: LiveServer, tiny: str) -> None:
    body = {"model": "tiny", "input": ["hello", "htktt"], "reference_model": "lines"}
    best = server.post("/v1/compare", body).json()["data"][0]
    arguments = ["--reference-model", "lines", "--url", server.url]
    header, first, _ = ok("compare", "tiny", "hello", "htktt", *arguments).splitlines()
    assert header.split() == ["rank", "logprob", "bits/char", "probability", "log", "ratio", "text"]
    assert first.split()[4:] == [f"{best['log_ratio']:.3f}", repr(body["input"][best["index"]])]
    refused = CliRunner().invoke(main, ["compare", tiny, "a", "--reference-model", "lines"])
    assert refused.exit_code == 2
    assert "give --url" in refused.stderr


def test_next_says_what_the_server_says(server: LiveServer, tiny: str) -> None:
    answer = server.post("/v1/next", {"model": "tiny", "input": "hel", "top": 4}).json()
    assert json.loads(ok("next", tiny, "hel", "--top", "4", "--json")) == answer
    assert len(ok("next", tiny, "hel", "--top", "4").splitlines()) == 6


def test_complete_says_what_the_server_says(server: LiveServer, tiny: str) -> None:
    body = {"model": "tiny", "prompt": "ab", "max_tokens": 50, "seed": 3, "temperature": 0.7, "echo": True}
    text = server.post("/v1/completions", body).json()["choices"][0]["text"]
    options = ["--max-tokens", "50", "--seed", "3", "--temperature", "0.7", "--echo"]
    assert ok("complete", tiny, "ab", *options) == text + "\n"
    stopped = ok("complete", tiny, "ab", *options, "--stop", text[20:22])
    assert stopped == text[: text.index(text[20:22], 2)] + "\n"


@pytest.mark.parametrize("path", ["tiny", "tiny/1", "tiny/1/step-int8.onnx"])
def test_a_model_is_a_folder_or_a_file(models: Path, path: str) -> None:
    assert ok("score", str(models / path), "a") == ok("score", str(models / "tiny"), "a")


@pytest.mark.parametrize("path", ["tiny", "tiny/1", "tiny/1/step-int8.onnx"])
def test_card_takes_what_score_takes(models: Path, path: str) -> None:
    assert ok("card", str(models / path)) == ok("card", str(models / "tiny" / "1" / "step-int8.onnx"))


def test_card_prints_the_card(models: Path) -> None:
    path = str(models / "tiny" / "1" / "step-int8.onnx")
    text = ok("card", path)
    assert "lstm step graph, int8" in text
    assert "h_0 ← h_0_next" in text
    assert json.loads(ok("card", path, "--json")) == json.loads(TEXT.step().card.model_dump_json())


@pytest.mark.parametrize("more", [[], ["model.onnx", "--json"], ["--help"]])
def test_the_old_name_of_card_says_in_one_line_where_it_went(more: list[str]) -> None:
    result = run("inspect", *more)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: nextchar inspect is now nextchar card; hidden states are POST /v1/inspect\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["score", "{tiny}", "a", "--include-end"], "no end symbol"),
        (["score", "{tiny}", "a", "--precision", "float32"], "no step-float32.onnx"),
        (["score", "{sequence}", "a"], "open the version's folder, or its step graph"),
        (["complete", "{tiny}", "--temperature", "-1"], "temperature: input should be greater than or equal"),
        (["complete", "{tiny}", "--temperature", "nan"], "temperature: input should be a finite number"),
        (["complete", "{tiny}", "--top-p", "0"], "top_p"),
        (["complete", "{tiny}", *["--stop", ""] * 5], "stop"),
        (["score", "{none}", "a"], "there is no file or folder '{none}': give a step graph"),
        (["score", "x" * 5000, "a"], "there is no file or folder 'xxx"),
        (["score", "{folder}", "a"], "{folder}: no step-int8.onnx"),
        (["score", "{text}", "a"], "{text}: not an ONNX file"),
        (["card", "{none}"], "there is no file or folder '{none}'"),
        (["card", "{folder}"], "{folder}: no step-int8.onnx"),
        (["card", "{text}"], "{text}: not an ONNX file"),
        (["score", "{refusing}", "A"], "U+0041"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    models: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    (tmp_path / "model.onnx").write_bytes(TEXT.sequence_bytes())
    (tmp_path / "text.onnx").write_text("hello")
    places = {
        "none": tmp_path / "none",
        "tiny": models / "tiny",
        "refusing": models / "refusing",
        "sequence": tmp_path / "model.onnx",
        "text": tmp_path / "text.onnx",
        "folder": tmp_path,
    }
    told = told.format(**places)
    result = run(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def help_page() -> str:
    """What `nextchar --help` prints in a process of its own, and what of these it has imported."""
    code = (
        "import sys; from nextchar.entrypoints.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'torch', 'fastapi', 'grpc', 'onnx', 'nextchar_training'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    env = {"PYTHONPATH": f"{root / 'server'}:{root / 'training'}", "COLUMNS": "200"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return found.stdout


def test_help_imports_neither_torch_nor_the_server(help_page: str) -> None:
    assert help_page.splitlines()[-1] == "set()"


def test_help_has_a_whole_sentence_of_its_own_for_each_command(help_page: str) -> None:
    found = dict(re.findall(r"^  (\w+) {2,}(\S.*\n(?: {4,}\S.*\n)*)", help_page, re.MULTILINE))
    context = click.Context(main)
    assert set(found) == set(main.list_commands(context))  # type: ignore[attr-defined]
    assert {"serve", "card", "train", "export", "evaluate", "analyze"} <= set(found)
    texts = [" ".join(text.split()) for text in found.values()]
    assert all(re.fullmatch(r"[A-Z].{20,}[^.]\.", text) for text in texts), texts
    assert len(set(texts)) == len(texts)


COMMANDS = [[name] for name in main_module._SERVING] + [["keys", "new"], ["keys", "list"], ["judge", "ask"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_help_breaks_a_word(command: list[str], columns: int) -> None:
    found: Any = main
    for name in command:
        found = found.get_command(click.Context(found), name)
    shown = CliRunner().invoke(main, [*command, "--help"], terminal_width=columns).stdout
    texts = [option.help or "" for option in found.params if isinstance(option, click.Option)]
    words = {word for text in [*texts, found.help or ""] for word in re.split(r"[\s-]+", text)}
    assert words <= set(re.split(r"[\s-]+", shown))  # a line may end at a hyphen


@pytest.mark.parametrize(("found", "says"), [(None, True), (object(), False)])
def test_help_says_whether_training_is_installed(
    monkeypatch: pytest.MonkeyPatch, found: object, says: bool
) -> None:
    monkeypatch.setattr(added_commands, "find_spec", lambda _: found)
    shown = " ".join(ok("--help").split())
    assert ("(not installed: pip install torch==2.13.0 'nextchar[train]')" in shown) == says
    assert "Train a character-level recurrent network on a text." in shown


def test_a_training_command_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added_commands, "entry_points", lambda **_: [])
    result = run("train", "--corpus", "x")
    assert result.exit_code == 1
    assert "nextchar_training is missing): pip install torch" in result.stderr
