"""Adds scores to strings, by a model in this process or by a server."""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from nextchar import load
from nextchar.batch.column import Column, Filled
from nextchar.client import Client
from nextchar.client.endpoint import API_KEY
from nextchar.errors import InvalidRequest
from nextchar.model.surprise.guess_numbers import NUM_SAMPLES, GuessNumbers

# Fields of `nextchar.schemas.score.Score`, under the same names.
SCORE_COLUMNS = (
    Column("logprob", "float64"),
    Column("bits_per_char", "float64"),
    Column("num_chars", "int64"),
    Column("num_unknown", "int64"),
    Column("percentile", "float64"),
    Column("p_value", "float64"),
)
GUESSES_COLUMN = Column("guesses_log10", "float64")


@dataclass(frozen=True, slots=True)
class ScoreAnnotator:
    """Scores strings with a model file, or with a model of the server at `url`.

    `num_threads` are engines of a model file that run at a time, by default one per core. With `guesses`,
    which needs a model file, guess numbers are added; they count the end symbol, so they need `include_end`.
    """

    model: str
    url: str | None = None
    precision: str = "auto"
    num_threads: int | None = None
    context: str = ""
    include_end: bool = False
    guesses: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a score."""
        return (*SCORE_COLUMNS, GUESSES_COLUMN) if self.guesses else SCORE_COLUMNS

    @contextmanager
    def open(self) -> Generator["OpenScores"]:
        """Opens the model, or a client of the server.

        Raises:
            NextcharError: the model cannot be opened, or the server cannot be reached.
            InvalidRequest: guess numbers are asked of a server, or of a model of running text.
        """
        if self.url is None:
            model = load(self.model, precision=self.precision, num_threads=self.num_threads)
            with model:
                card = model.card.model_dump_json()
                numbers = model.guess_numbers() if self.guesses else None
                yield OpenScores(model, None, self, hashlib.sha256(card.encode()).hexdigest(), numbers)
            return
        if self.guesses:
            raise InvalidRequest("guess numbers are sampled in this process: give a model file and no url")
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
    guess_numbers: GuessNumbers | None = None

    @property
    def identity(self) -> dict[str, str]:
        """The model's card, or its name and version on a server, and the arguments."""
        asked = self.asked
        found = {"model": self.digest, "context": asked.context, "include_end": str(asked.include_end)}
        return found | ({"guesses": str(NUM_SAMPLES)} if asked.guesses else {})

    def annotate(self, strings: list[str]) -> list[Filled]:
        """Returns the scores of the strings, column by column."""
        arguments: Any = {"context": self.asked.context, "include_end": self.asked.include_end}
        answers = self.client.score_batches(strings, model=self.name, **arguments)
        scores = [score for answer in answers for score in answer.data]
        found = [column.filled([getattr(score, column.name) for score in scores]) for column in SCORE_COLUMNS]
        if self.guess_numbers is not None:
            logprobs = np.array([score.logprob for score in scores])
            found.append(GUESSES_COLUMN.filled(self.guess_numbers.log10_of(logprobs).tolist()))
        return found
