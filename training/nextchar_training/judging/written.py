"""Makes the files of a fitted judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nextchar import __version__
from nextchar.model.graph import ModelGraph
from nextchar.model.judging.card import (
    FILE_NAME,
    REFERENCES_NAME,
    JudgeCard,
    Measured,
    NormalCard,
    ReferenceCard,
    ReferencesCard,
    digest_of,
)
from nextchar.model.judging.reference import references_to_bytes
from nextchar_training.judging.fit import Fitted
from nextchar_training.judging.lists import StringList
from nextchar_training.run.provenance import git_commit

PAGE_NAME = "report.html"


@dataclass(frozen=True)
class Sources:
    """What a judge was fitted to: its model, by name and version, the lists, and the command."""

    model: str
    version: str
    graph: ModelGraph
    normal: StringList
    bad: Sequence[StringList]
    command: str


def judge_files(
    name: str, fitted: Fitted, sources: Sources, quality: list[Measured], default_rate: float
) -> dict[str, bytes]:
    """Returns the content of the files of a judge's version, by name."""
    content = references_to_bytes(list(fitted.references)) if fitted.references else None
    card = JudgeCard(
        name=name,
        normal=NormalCard(
            model=sources.model,
            version=sources.version,
            digest=sources.graph.digest,
            vocabulary=sources.graph.card.vocabulary,
        ),
        references=_references(fitted, sources, content) if content else None,
        weights=fitted.weights,
        novelty_share=fitted.novelty_share,
        curves=fitted.curves,
        score=fitted.score,
        num_normal=fitted.num_normal,
        false_alarms=fitted.false_alarms,
        default_rate=default_rate,
        quality=quality,
        provenance={
            "command": sources.command,
            "normal": _facts(sources.normal),
            "bad": [_facts(one) for one in sources.bad],
            "fitted": datetime.now(UTC).date().isoformat(),
            "nextchar": __version__,
            "commit": git_commit(),
        },
    )
    files = {FILE_NAME: card.to_json().encode()}
    return files | {REFERENCES_NAME: content} if content else files


def _references(fitted: Fitted, sources: Sources, content: bytes) -> ReferencesCard:
    sizes = {one.name: len(one.strings) for one in sources.bad}
    kinds = [
        ReferenceCard(name=r.name, order=len(r.grams), num_strings=sizes[r.name]) for r in fitted.references
    ]
    return ReferencesCard(digest=digest_of(content), kinds=kinds)


def _facts(strings: StringList) -> dict[str, object]:
    return {"name": strings.name, "num_strings": len(strings.strings), "sha256": strings.digest}
