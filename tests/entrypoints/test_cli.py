"""The command line works on a model file with no server, and says what the server says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer
from support.tiny_models import TEXT

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
    assert lines[0].split() == ["logprob", "bits/char", "percentile", "chars", "unknown", "text"]
    assert lines[1].endswith("'hello'")


def test_strings_come_from_standard_input_too(tiny: str) -> None:
    assert ok("score", tiny, stdin="hello\nabc\n") == ok("score", tiny, "hello", "abc")


def test_more_strings_than_a_server_takes_are_fine(tiny: str) -> None:
    assert len(ok("score", tiny, stdin="ab\n" * 3000).splitlines()) == 3001


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


def test_inspect_prints_the_card(models: Path) -> None:
    path = str(models / "tiny" / "1" / "step-int8.onnx")
    text = ok("inspect", path)
    assert "lstm step graph, int8" in text
    assert "h_0 ← h_0_next" in text
    assert json.loads(ok("inspect", path, "--json")) == json.loads(TEXT.step().card.model_dump_json())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["score", "{none}", "a"], "none"),
        (["score", "{tiny}", "a", "--include-end"], "no end symbol"),
        (["score", "{tiny}", "a", "--precision", "float32"], "no step-float32.onnx"),
        (["score", "{sequence}", "a"], "open the version folder or its step graph"),
        (["score", "{text}", "a"], "not an ONNX file"),
        (["complete", "{tiny}", "--temperature", "-1"], "temperature: input should be greater than or equal"),
        (["complete", "{tiny}", "--temperature", "nan"], "temperature: input should be a finite number"),
        (["complete", "{tiny}", "--top-p", "0"], "top_p"),
        (["complete", "{tiny}", "--stop", ""], "stop.0"),
        (["inspect", "{none}"], "cannot be read"),
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
    }
    result = run(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_help_imports_neither_torch_nor_the_server() -> None:
    code = (
        "import sys; from nextchar.entrypoints.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'torch', 'fastapi', 'grpc', 'onnx', 'nextchar_training'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    env = {"PYTHONPATH": str(root / "server")}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert found.stdout.splitlines()[-1] == "set()"
    assert "complete" in found.stdout
