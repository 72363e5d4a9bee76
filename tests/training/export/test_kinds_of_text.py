"""Texts of every kind go the whole way: trained on, exported, proved equal, read back, evaluated."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_runs import exported, finished, tiny_run, write_words

from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import open_graph
from nextchar_training.batches.line_batches import LineBatches
from nextchar_training.export.read_back import load_network
from nextchar_training.measure.exported import graph_quality
from nextchar_training.text.heldout import heldout_split
from nextchar_training.text.vocabulary import encode

_MANY = [chr(code) for code in range(0x4E00, 0x4E00 + 300)]


def _many_characters(folder: Path) -> Path:
    """A text of 300 different characters: ids of two bytes."""
    draw = random.Random(0)
    path = folder / "many.txt"
    path.write_text("\n" + "".join(_MANY) + "".join(draw.choices(_MANY, k=4000)) + "\n", encoding="utf-8")
    return path


def _no_newline(folder: Path) -> Path:
    path = write_words(folder)
    path.write_text(path.read_text().replace("\n", " ").strip())
    assert "\n" not in path.read_text()
    return path


def _mixed_case(folder: Path) -> Path:
    path = write_words(folder)
    path.write_text(path.read_text().title())
    return path


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (_mixed_case, {"case_folding": "lower"}),
        (_mixed_case, {"case_folding": "lower", "unit": "line", "window": 0, "normalization": "NFC"}),
        (_many_characters, {"min_count": 1}),
        (
            _many_characters,
            {"min_count": 1, "cell": "gru", "unknown": "refuse", "development": 0.0, "heldout": 0.05},
        ),
        (_many_characters, {"symbols": "bytes"}),
        (_no_newline, {}),
        (_no_newline, {"symbols": "bytes", "cell": "rnn_tanh"}),
        (_no_newline, {"window": 0, "split": "position"}),
        (write_words, {"unit": "line", "window": 0}),
        (write_words, {"unit": "line", "window": 0, "cell": "gru", "symbols": "bytes"}),
    ],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_torch_and_every_graph_say_the_same(write: Any, options: dict[str, Any], tmp_path: Path) -> None:
    corpus = write(tmp_path)
    run = tiny_run(tmp_path / "runs", corpus, steps=3, evaluations=1, num_layers=1, **options)
    trained = finished(run)
    folder = exported(trained, tmp_path / "models")
    network, card = load_network(folder / "model.onnx")
    vocabulary = card.make_vocabulary()
    assert vocabulary == run.vocabulary
    assert vocabulary.case_folding == options.get("case_folding", "none")
    assert len(vocabulary.characters) > 256 or write is not _many_characters or "symbols" in options

    text = str(run.split.heldout[:200]).split("\n")[0]
    ids = vocabulary.encode_code_points(run.split.heldout[: len(text)].code_points)  # as serving does
    assert encode(vocabulary, run.split.heldout[: len(text)]).tolist() == ids.tolist()
    read = torch.from_numpy(np.concatenate([[vocabulary.begin_id], ids[:-1]]))
    with torch.no_grad():
        logprobs = network(read[:, None])[0][:, 0].double().log_softmax(1)
    expected = logprobs[torch.arange(len(ids)), torch.from_numpy(ids)].numpy()
    for path, limit in (("model.onnx", 1e-5), ("step-float32.onnx", 1e-5), ("step-int8.onnx", 0.05)):
        (found,) = symbol_logprobs(open_graph(folder / path), [ids])
        np.testing.assert_allclose(found, expected, atol=limit, err_msg=path)

    reported = next(q for q in trained.quality if q.name == "network" and q.protocol in ("stream", "line"))
    measured = graph_quality(open_graph(folder / "model.onnx"), heldout_split(card, str(corpus)), "again")
    assert measured.num_chars == reported.num_chars
    assert measured.nats_per_char == pytest.approx(reported.nats_per_char, abs=1e-5)


def test_the_full_window_of_lines_cuts_none_of_them(tmp_path: Path) -> None:
    corpus = write_words(tmp_path)
    corpus.write_text(corpus.read_text() + "a" * 400 + "\n" + "b" * 300 + "\n")
    run = tiny_run(tmp_path, corpus, unit="line", window=0, heldout=20, development=10)
    batches = run.trainer.batches
    assert isinstance(batches, LineBatches)
    lines = str(run.split.train).split("\n")
    assert batches.window == max(map(len, lines)) + 1
    seen: list[str] = []
    end = run.vocabulary.end_id
    while len(seen) < len(lines):
        targets = batches.next_batch().targets.T.tolist()
        seen += [run.vocabulary.decode(row[: row.index(end)]) for row in targets]
    assert sorted(map(len, seen)) == sorted(map(len, lines))  # a rare character is unknown
