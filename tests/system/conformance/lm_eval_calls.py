"""Runs inside lm-evaluation-harness's own environment: what it logs of several models, as JSON in a file.

python lm_eval_calls.py OUT FOLDER_OF_TASKS MAX_LENGTH TASK[,TASK] MODEL=BASE_URL...
"""

import json
import sys
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.tasks import TaskManager

OUT, FOLDER, MAX_LENGTH, TASKS, *MODELS = sys.argv[1:]


def logged(model: str, base_url: str, tasks: TaskManager) -> dict[str, list[Any]]:
    """The answers of each task's documents, in their order."""
    arguments = f"model={model},base_url={base_url},tokenizer_backend=remote,max_length={MAX_LENGTH}"
    found = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=f"{arguments},num_concurrent=1",
        tasks=TASKS.split(","),
        task_manager=tasks,
        log_samples=True,
    )
    samples = {name: sorted(rows, key=lambda row: row["doc_id"]) for name, rows in found["samples"].items()}
    return {name: [row["resps"] for row in rows] for name, rows in samples.items()}


def main() -> None:
    tasks = TaskManager(include_path=FOLDER)
    pairs = (one.split("=", 1) for one in MODELS)
    answers = {model: logged(model, base_url, tasks) for model, base_url in pairs}
    Path(OUT).write_text(json.dumps(answers))


main()
