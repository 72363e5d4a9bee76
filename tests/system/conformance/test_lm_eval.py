"""lm-evaluation-harness as it comes: its local-completions over our server, its log-likelihoods ours."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.live_server import LiveServer, live_server
from support.tools import tool_program, tool_python

_ROOT = Path(__file__).parents[3]
_SECONDS = 240
# Contexts end in no space: the harness would move it into the choices.
CHOICES = [
    {"context": "abc.", "choices": ["hello", "zqx", "a"], "answer": 0},
    {"context": "the end.", "choices": ["x", "and so on", "qq."], "answer": 1},
]
TEXTS = ["hello there.", "a", "once upon a time, and then some more of it."]
MAX_LENGTH = 64
_TASKS = ("chars_choose", "chars_roll")

_CHOOSE = """task: chars_choose
dataset_path: json
dataset_kwargs: {data_files: {test: "CHOICES"}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{context}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
target_delimiter: ""
metric_list: [{metric: acc}]
"""
_ROLL = """task: chars_roll
dataset_path: json
dataset_kwargs: {data_files: {test: "TEXTS"}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
"""


Samples = dict[str, list[Any]]  # the answers of each document, by the task


def write_tasks(folder: Path) -> None:
    for name, rows in (("choices", CHOICES), ("texts", [{"text": text} for text in TEXTS])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in (("choose", _CHOOSE), ("roll", _ROLL)):
        text = text.replace("CHOICES", str(folder / "choices.jsonl"))
        (folder / f"{name}.yaml").write_text(text.replace("TEXTS", str(folder / "texts.jsonl")))


def run(folder: Path, *command: str | Path) -> None:
    """Runs a program of its environment, which asks no hub for anything."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "cache")}
    environment = os.environ | offline
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_SECONDS, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def evaluated(server: LiveServer, model: str, folder: Path) -> Samples:
    """Runs it over a model, on the command line; returns the answers of each task's documents."""
    write_tasks(folder)
    served = f"model={model},base_url={server.url}/v1/completions,tokenizer_backend=remote"
    run(
        folder,
        *(tool_program("lm-eval", "lm_eval"), "run", "--model", "local-completions"),
        *("--model_args", f"{served},num_concurrent=1,max_length={MAX_LENGTH}"),
        *("--include_path", folder, "--tasks", ",".join(_TASKS)),
        *("--log_samples", "--output_path", folder / "out"),
    )
    found = {}
    for task in _TASKS:
        (path,) = (folder / "out").rglob(f"samples_{task}_*.jsonl")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        found[task] = [row["resps"] for row in sorted(rows, key=lambda row: row["doc_id"])]
    return found


@pytest.fixture(scope="module")
def samples(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return evaluated(server, "tiny", tmp_path_factory.mktemp("lm_eval"))


def score(server: LiveServer, text: str, context: str = "", *, model: str = "tiny") -> float:
    body = {"model": model, "input": [text], "context": context}
    found: float = server.post("/v1/score", body).json()["data"][0]["logprob"]
    return found


def check(server: LiveServer, model: str, samples: Samples) -> None:
    for answers, case in zip(samples["chars_choose"], CHOICES, strict=True):
        found = [float(logprob) for ((logprob, _is_greedy),) in answers]
        wanted = [score(server, choice, case["context"], model=model) for choice in case["choices"]]
        assert found == pytest.approx(wanted, abs=1e-4)
    for ((rolled,),), text in zip(samples["chars_roll"], TEXTS, strict=True):
        assert float(rolled) == pytest.approx(score(server, text, model=model), abs=1e-4)


def test_its_log_likelihoods_are_ours(server: LiveServer, samples: Samples) -> None:
    check(server, "tiny", samples)


@pytest.fixture(scope="module")
def shipped() -> Iterator[LiveServer]:
    with live_server(_ROOT / "models") as running:
        yield running


def test_a_server_of_several_models_needs_no_setting(shipped: LiveServer, tmp_path: Path) -> None:
    """Its remote tokenizer names no model: what it gets is the default model's, which always exists."""
    answer = shipped.post("/tokenize", {"prompt": "a"})
    assert answer.is_success, answer.text
    default = answer.json()["model"]
    check(shipped, default, evaluated(shipped, default, tmp_path))


def test_each_shipped_model_can_be_named_in_the_address(shipped: LiveServer, tmp_path: Path) -> None:
    models = [model["id"] for model in shipped.get("/v1/models").json()["data"]]
    assert len(models) == 7
    write_tasks(tmp_path)
    script = Path(__file__).with_name("lm_eval_calls.py")
    given = [f"{model}={shipped.url}/models/{model}/v1/completions" for model in models]
    out = tmp_path / "answers.json"
    run(
        tmp_path,
        *(tool_python("lm-eval"), script, out, tmp_path, str(MAX_LENGTH), ",".join(_TASKS)),
        *given,
    )
    answers = json.loads(out.read_text())
    assert list(answers) == models
    for model, samples in answers.items():
        check(shipped, model, samples)
