"""Defines `judge.json`: what a judge is made of, and how it is read and checked.

A judge is a folder `judges/<name>/<version>/` with this file and, if it knows bad strings, `references.npz`.
It names its model of normal strings by digest, and holds everything else that a verdict needs. This module is
plain data.
"""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from nextchar.errors import ModelFileError
from nextchar.model.card import VocabularyCard, falls, first_fault, rises
from nextchar.model.names import is_model_name, is_version
from nextchar.model.regular_file import read_regular_file
from nextchar.model.surprise.curves import EXTRAPOLATION

FILE_NAME = "judge.json"
REFERENCES_NAME = "references.npz"
MAX_JUDGE_BYTES = 16 * 1024 * 1024
MAX_REFERENCES_BYTES = 2**31
MAX_REFERENCES = 1024
MAX_NORMAL = 1_000_000  # strings that calibrate a judge: intervals are computed by sums over them
_MAX_WEIGHT, _MAX_STATISTIC, _MIN_SCALE = 1e6, 1e12, 1e-12  # beyond what is measured, far from overflow

Rate = Annotated[FiniteFloat, Field(gt=0, le=1)]
Statistic = Annotated[FiniteFloat, Field(ge=-_MAX_STATISTIC, le=_MAX_STATISTIC)]
Scale = Annotated[FiniteFloat, Field(ge=_MIN_SCALE, le=_MAX_STATISTIC)]
Count = Annotated[int, Field(ge=1, le=2**31)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Evidence = Literal[
    "mean_surprise", "total_surprise", "part_surprise", "window_surprise", "unknown_characters"
]
ConditionName = Literal["nothing known", "kind known", "kind left out"]
EVIDENCE: tuple[Evidence, ...] = (
    "mean_surprise",
    "total_surprise",
    "part_surprise",
    "window_surprise",
    "unknown_characters",
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CurveCard(_Part):
    """The distribution of a statistic among normal strings, by length (see `model.surprise.curves`).

    `values[i][j]` is what a share `shares[j]` of the strings of about `lengths[i]` symbols have at least.
    Beyond the last share the tail is exponential, with the scale `tail_scales[i]`.
    """

    lengths: list[Count] = Field(min_length=1, max_length=1024)
    shares: list[Rate] = Field(min_length=2, max_length=1024)
    values: list[list[Statistic]]
    tail_scales: list[Scale]
    num_strings: list[Count]

    @model_validator(mode="after")
    def _is_sound(self) -> "CurveCard":
        if not {len(self.values), len(self.tail_scales), len(self.num_strings)} == {len(self.lengths)}:
            raise ValueError("values, tail_scales and num_strings must have an entry for each length")
        if not (rises(self.lengths) and falls(self.shares)):
            raise ValueError("lengths must rise and shares fall")
        for row in self.values:
            if len(row) != len(self.shares) or any(a > b for a, b in pairwise(row)):
                raise ValueError("a row of values must have a number for each share, and not fall")
        return self


class NormalCard(_Part):
    """The model of normal strings: its name and version, the SHA-256 of its file, and how it reads text."""

    model: str
    version: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    vocabulary: VocabularyCard

    @model_validator(mode="after")
    def _names_a_model(self) -> "NormalCard":
        # They are parts of the path at which the model is looked for.
        if not is_model_name(self.model):
            raise ValueError(f"model: {self.model[:100]!r} cannot be the name of a model")
        if not is_version(self.version):
            raise ValueError(f"version: {self.version[:100]!r} cannot be the version of a model")
        self.vocabulary.make()  # raises ValueError
        return self


class ReferenceCard(_Part):
    """One kind of bad strings, of which `references.npz` has an n-gram model."""

    name: str
    order: int = Field(ge=1, le=16)
    num_strings: Count


class ReferencesCard(_Part):
    """The kinds of bad strings that are known, and the SHA-256 of the file with their models."""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    kinds: list[ReferenceCard] = Field(min_length=1, max_length=MAX_REFERENCES)


class FalseAlarms(_Part):
    """A threshold of the score, and the share of normal strings beyond it with its 95 % interval."""

    rate: Rate
    threshold: Statistic
    low: Share
    high: Rate

    @model_validator(mode="after")
    def _is_an_interval(self) -> "FalseAlarms":
        if self.low > self.high:
            raise ValueError(f"low must be at most high (they are {self.low:g} and {self.high:g})")
        return self


class Measured(_Part):
    """A figure of quality: how one kind of bad strings was found, by strings that nothing was fitted to.

    `condition` says what was known: no bad strings, the kind, or only other kinds. `hits` is the share found
    by the rate of false alarms, as text: "0.01".
    """

    condition: ConditionName
    kind: str
    num_strings: Count
    auc: Share
    hits: dict[str, Share]


class JudgeCard(_Part):
    """Describes a judge. `weights` multiply the evidence; `novelty_share` is the prior share of new kinds.

    `curves` has one entry per evidence, and `novelty` and `references`, whose p-values are combined; `score`
    is the curve of the combined score. `provenance` holds free-form facts: command, lists, digests, dates.
    """

    format: Literal[1] = 1
    name: str
    normal: NormalCard
    references: ReferencesCard | None = None
    weights: dict[Evidence, Annotated[FiniteFloat, Field(ge=0, le=_MAX_WEIGHT)]]
    novelty_share: Annotated[FiniteFloat, Field(gt=0, lt=1)]
    curves: dict[str, CurveCard]
    score: CurveCard
    num_normal: int = Field(ge=1, le=MAX_NORMAL)
    interval: Literal["Clopper-Pearson 95 %"] = "Clopper-Pearson 95 %"
    false_alarms: list[FalseAlarms]
    default_rate: Annotated[FiniteFloat, Field(gt=0, lt=1)]
    quality: list[Measured] = Field(default=[], max_length=8192)
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _is_complete(self) -> "JudgeCard":
        if not is_model_name(self.name):
            raise ValueError(f"name: {self.name[:100]!r} cannot be the name of a judge")
        wanted = {*EVIDENCE, "novelty"} | ({"references"} if self.references else set())
        if missing := wanted - set(self.curves):
            raise ValueError(f"curves: missing {sorted(missing)}")
        if unweighted := set(EVIDENCE) - set(self.weights):
            raise ValueError(f"weights: missing {sorted(unweighted)}")
        if not any(self.weights.values()):
            raise ValueError("weights: one must be above 0")
        if self.default_rate < finest_rate(self.num_normal):
            raise ValueError(f"default_rate: {self.default_rate:g} is finer than num_normal can tell")
        return self

    def to_json(self) -> str:
        """Returns the text of `judge.json`."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=True, indent=1) + "\n"


def finest_rate(num_normal: int) -> float:
    """Returns the finest rate of false alarms that may be asked for: a tenth of one normal string."""
    return 1 / (EXTRAPOLATION * num_normal)


def read_judge(folder: Path) -> JudgeCard:
    """Reads `judge.json` in the folder of a judge.

    Raises:
        ModelFileError: there is none, or this version cannot read it.
    """
    path = folder / FILE_NAME
    return parse_judge(read_regular_file(path, max_bytes=MAX_JUDGE_BYTES, kind="judge"), shown=str(path))


def parse_judge(content: bytes, *, shown: str) -> JudgeCard:
    """Reads the content of `judge.json`; `shown` names it in errors.

    Raises:
        ModelFileError: this version cannot read it.
    """
    try:
        return JudgeCard.model_validate_json(content)
    except ValidationError as error:
        raise ModelFileError(f"{shown}: bad judge: {first_fault(error, 'judge')}; fit it again") from error


def read_references(folder: Path, card: ReferencesCard) -> bytes:
    """Reads `references.npz` beside `judge.json`.

    Raises:
        ModelFileError: it is gone, or is not the file that the judge was fitted with.
    """
    path = folder / REFERENCES_NAME
    content = read_regular_file(path, max_bytes=MAX_REFERENCES_BYTES, kind="references")
    if digest_of(content) != card.digest:
        raise ModelFileError(
            f"{path}: has changed since the judge was fitted (SHA-256 {digest_of(content)[:12]}…, the "
            f"judge has {card.digest[:12]}…): fit the judge again, or bring the file back"
        )
    return content


def digest_of(content: bytes) -> str:
    """Returns the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
