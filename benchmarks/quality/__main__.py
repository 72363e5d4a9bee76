"""Makes the quality table of a text and a seed: trains, exports and evaluates a network.

The split is nanoGPT's: the first nine tenths are trained on, the last is held out. The recipes follow from
runs with a development part of the first nine tenths (docs/quality.md); here all of it is trained on, so the
softmax temperature is given and no development part is left. A machine too slow for a recipe's epochs runs
fewer, in 74 minutes. A run that was stopped is resumed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from nextchar.model.card import Quality
from nextchar.model.graph import open_graph
from nextchar_training.export.read_back import load_network
from nextchar_training.measure.dynamic import Dynamics, dynamic_quality
from nextchar_training.measure.exported import graph_quality
from nextchar_training.run.checkpoint import FILE_NAME
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.split import Split, split_corpus

_COMMON = "--num-layers 2 --development 0 --evaluations 10 --precision bf16"
_WIDE = f"--hidden-size 512 {_COMMON}"
RECIPES = {
    "lstm": f"--cell lstm {_WIDE} --softmax-temperature 1.15 --dropout 0.5 --epochs 56 --max-minutes 74",
    "gru": f"--cell gru {_WIDE} --softmax-temperature 1.2 --dropout 0.45 --epochs 36 "
    "--learning-rate 0.0015 --clip-norm 0.25 --max-minutes 74",
    "quick": f"--cell lstm --hidden-size 320 {_COMMON} --softmax-temperature 1.1 --dropout 0.3 "
    "--max-minutes 15",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("file", type=Path, help="text file to train on")
    parser.add_argument("--recipe", choices=RECIPES, default="lstm", help="network and training options")
    parser.add_argument("--seed", type=int, default=1, help="seed of the training run")
    parser.add_argument(
        "--folder", type=Path, default=Path(".data/quality"), help="folder for runs and models"
    )
    parser.add_argument("--results", type=Path, help="JSON file to which the figures are added")
    arguments = parser.parse_args()
    name = f"{arguments.file.stem}-{arguments.recipe}-{arguments.seed}"
    _train(arguments.file, name, arguments.recipe, arguments.seed, arguments.folder)
    folder = _export(name, arguments.folder)
    split = split_corpus(load_corpus(str(arguments.file)), unit="text", heldout=0.1, development=0)
    figures = [*_figures(folder, split), *_baselines(folder)]
    if arguments.results is not None:
        _keep(arguments.results, f"{arguments.recipe}-{arguments.seed}", folder, figures)
    for entry in figures:
        print(f"| {entry.name} | {entry.protocol} | {entry.nats_per_char:.4f} | {entry.bits_per_char:.4f} |")


def _train(file: Path, name: str, recipe: str, seed: int, folder: Path) -> None:
    output = ["--name", name, "--output", str(folder), "--no-export"]
    started = (folder / name / FILE_NAME).exists()
    new = ["--corpus", str(file), "--seed", str(seed), *RECIPES[recipe].split()]
    _call("train", *output, *(["--resume"] if started else new))


def _export(name: str, folder: Path) -> Path:
    models = folder / "models"
    version = models / name / "1"
    if not version.exists():
        _call("export", str(folder / name), "--models", str(models), "--version", "1")
    return version


def _keep(path: Path, run: str, folder: Path, figures: list[Quality]) -> None:
    """Writes a run's figures, in nats per character, beside those of other runs."""
    results = json.loads(path.read_text()) if path.exists() else {}
    made = open_graph(folder / "model.onnx").card.provenance
    results[run] = {
        **{name: made[name] for name in ("commit", "num_parameters", "epochs", "minutes")},
        **{f"{entry.name} {entry.protocol}": round(entry.nats_per_char, 5) for entry in figures},
    }
    path.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def _call(*arguments: str) -> None:
    """Runs one of nextchar's commands in a process of its own."""
    code = "from nextchar.entrypoints.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def _figures(folder: Path, split: Split) -> list[Quality]:
    """Evaluates the exported files with onnxruntime, and the network with dynamic evaluation."""
    found = [
        graph_quality(open_graph(folder / file), split, file, protocol=protocol)
        for file in ("model.onnx", "step-int8.onnx")
        for protocol in ("stream", "window-256")
    ]
    model, card = load_network(folder / "model.onnx")
    dynamics, max_chars = Dynamics(), len(split.heldout)
    vocabulary = card.make_vocabulary()
    adapted = dynamic_quality(model, vocabulary, split, "model.onnx", dynamics=dynamics, max_chars=max_chars)
    return [*found, adapted]


def _baselines(folder: Path) -> list[Quality]:
    quality = open_graph(folder / "model.onnx").card.quality
    return [entry for entry in quality if not entry.name.startswith("network")]


if __name__ == "__main__":
    main()
