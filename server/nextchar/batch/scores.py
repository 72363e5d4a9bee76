"""Adds scores to strings, by a model in this process or by a server."""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nextchar import load
from nextchar.batch.column import Column, Filled
from nextchar.client import Client
from nextchar.client.endpoint import API_KEY

# Fields of `nextchar.schemas.score.Score`, under the same names.
SCORE_COLUMNS = (
    Column("logprob", "float64"),
    Column("bits_per_char", "float64"),
    Column("num_chars", "int64"),
    Column("num_unknown", "int64"),
    Column("percentile", "float64"),
    Column("p_value", "float64"),
)


@dataclass(frozen=True, slots=True)
class ScoreAnnotator:
    """Scores strings with a model file, or with a model of the server at `url`.

    `num_threads` are engines of a model file that run at a time, by default one per core.
    """

    model: str
    url: str | None = None
    precision: str = "auto"
    num_threads: int | None = None
    context: str = ""
    include_end: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a score."""
        return SCORE_COLUMNS

    @contextmanager
    def open(self) -> Generator["OpenScores"]:
        """Opens the model, or a client of the server.

        Raises:
            NextcharError: the model cannot be opened, or the server cannot be reached.
        """
        if self.url is None:
            model = load(self.model, precision=self.precision, num_threads=self.num_threads)
            with model:
                card = model.card.model_dump_json()
                yield OpenScores(model, None, self, hashlib.sha256(card.encode()).hexdigest())
            return
        with Client(self.url, api_key=os.environ.get(API_KEY) or None) as client:
            version = client.score([""], model=self.model).model_version
            name = self.model.partition(":")[0]
            # The version stays the same to the end, whatever the server loads meanwhile.
            yield OpenScores(client, f"{name}:{version}", self, f"{name}:{version}")


@dataclass(frozen=True, slots=True)
class OpenScores:
    """A client, or a model in this process, and what is asked of it."""

    client: Client
    name: str | None
    asked: ScoreAnnotator
    digest: str

    @property
    def identity(self) -> dict[str, str]:
        """The model's card, or its name and version on a server, and the arguments."""
        asked = self.asked
        return {"model": self.digest, "context": asked.context, "include_end": str(asked.include_end)}

    def annotate(self, strings: list[str]) -> list[Filled]:
        """Returns the scores of the strings, column by column."""
        arguments: Any = {"context": self.asked.context, "include_end": self.asked.include_end}
        answers = self.client.score_batches(strings, model=self.name, **arguments)
        scores = [score for answer in answers for score in answer.data]
        return [column.filled([getattr(score, column.name) for score in scores]) for column in SCORE_COLUMNS]
