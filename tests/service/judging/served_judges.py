"""Writes judges for tests: fitted to strings that tiny models score."""

import random
from pathlib import Path

from support.tiny_models import LINES, TinyModel, write_models

from nextchar.model.graph import ModelGraph
from nextchar.model.judging.card import (
    FILE_NAME,
    REFERENCES_NAME,
    JudgeCard,
    NormalCard,
    ReferenceCard,
    ReferencesCard,
    digest_of,
)
from nextchar.model.judging.reference import references_to_bytes
from nextchar_training.judging.fit import fit
from nextchar_training.judging.references import fit_reference
from nextchar_training.judging.scored import score_list

NUM_NORMAL = 600
BAD = ["xyxyxyxy", "xyxyxyxyxyxy"]
STRINGS = ["hello", "abcabc", *BAD, "", "x", "a.b é", "\N{SNOWMAN}ello", "zqzqzqzq" * 6]


def _normal_strings() -> list[str]:
    draw = random.Random(0)
    return ["".join(draw.choices("abcdefghijklm", k=draw.randint(3, 12))) for _ in range(NUM_NORMAL)]


def write_judge(
    folder: Path,
    *,
    name: str = "words",
    version: int = 1,
    model: TinyModel = LINES,
    model_name: str = "lines",
    knows_bad: bool = True,
) -> Path:
    """Writes a model and a judge that was fitted with it beside it; returns the folder of the version."""
    write_models(folder / "models", {model_name: model})
    digest = digest_of((folder / "models" / model_name / "1" / f"step-{model.precision}.onnx").read_bytes())
    target = folder / "judges" / name / str(version)
    write_fitted(target, model.step(), digest, name=name, model_name=model_name, knows_bad=knows_bad)
    return target


def write_fitted(
    target: Path, graph: ModelGraph, digest: str, *, name: str, model_name: str, knows_bad: bool = True
) -> None:
    """Writes a judge that is fitted with a model into the folder of a version."""
    normal = score_list(graph, "normal", _normal_strings())
    bad = score_list(graph, "xy", [f"{'xy' * (k % 5 + 2)}{'xyz'[k % 3]}" for k in range(60)])
    found = fit(normal, [fit_reference("xy", bad.ids, graph.vocabulary)] if knows_bad else [])
    content = references_to_bytes(list(found.references)) if knows_bad else b""
    kinds = [ReferenceCard(name=r.name, order=len(r.grams), num_strings=60) for r in found.references]
    card = JudgeCard(
        name=name,
        normal=NormalCard(model=model_name, version="1", digest=digest, vocabulary=graph.card.vocabulary),
        references=ReferencesCard(digest=digest_of(content), kinds=kinds) if knows_bad else None,
        weights=found.weights,
        novelty_share=found.novelty_share,
        curves=found.curves,
        score=found.score,
        num_normal=found.num_normal,
        false_alarms=found.false_alarms,
        default_rate=0.05,
        provenance={"command": "tests"},
    )
    target.mkdir(parents=True, exist_ok=True)
    (target / FILE_NAME).write_text(card.to_json())
    if knows_bad:
        (target / REFERENCES_NAME).write_bytes(content)
