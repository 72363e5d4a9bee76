"""Adds verdicts to strings, by a judge in this process or by one of a server."""

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nextchar import load_judge
from nextchar.batch.column import Column, Filled
from nextchar.client import Client
from nextchar.client.endpoint import API_KEY

# Fields of `nextchar.schemas.judging.Verdict`, under the same names.
VERDICT_COLUMNS = (
    Column("is_flagged", "bool"),
    Column("p_value", "float64"),
    Column("low", "float64"),
    Column("high", "float64"),
    Column("kind", "string"),
)


@dataclass(frozen=True, slots=True)
class JudgeAnnotator:
    """Judges strings with the judge in a folder, or with a judge of the server at `url`.

    `models` is the folder of models, by default beside that of judges; `num_threads` are engines of the model
    that run at a time, by default one per core.
    """

    judge: str
    url: str | None = None
    models: str | None = None
    num_threads: int | None = None
    false_alarm_rate: float | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a verdict."""
        return VERDICT_COLUMNS

    @contextmanager
    def open(self) -> Generator["OpenVerdicts"]:
        """Opens the judge, or a client of the server.

        Raises:
            NextcharError: the judge cannot be opened, the rate is finer than it can tell, or the server
                cannot be reached.
        """
        if self.url is None:
            judge = load_judge(self.judge, models=self.models, num_threads=self.num_threads)
            with judge:
                first = judge.judge([""], **self.arguments)
                digest = hashlib.sha256(judge.judge_card.to_json().encode()).hexdigest()
                name = f"{first.judge}:{first.judge_version}"
                yield OpenVerdicts(judge, name, f"{first.model}:{first.model_version}", self, digest)
            return
        with Client(self.url, api_key=os.environ.get(API_KEY) or None) as client:
            first = client.judge([""], judge=self.judge, **self.arguments)
            # The version stays the same to the end, whatever the server loads meanwhile.
            name = f"{first.judge}:{first.judge_version}"
            yield OpenVerdicts(client, name, f"{first.model}:{first.model_version}", self, name)

    @property
    def arguments(self) -> Any:
        """The arguments of a call."""
        return {} if self.false_alarm_rate is None else {"false_alarm_rate": self.false_alarm_rate}


@dataclass(frozen=True, slots=True)
class OpenVerdicts:
    """A client, or a judge in this process, and what is asked of it."""

    client: Client
    name: str
    model: str  # of normal strings, as name:version
    asked: JudgeAnnotator
    digest: str

    @property
    def identity(self) -> dict[str, str]:
        """The judge's card, or its name and version on a server, and the arguments."""
        return {"judge": self.digest, "false_alarm_rate": str(self.asked.false_alarm_rate)}

    def annotate(self, strings: list[str]) -> list[Filled]:
        """Returns the verdicts on the strings, column by column."""
        answers = self.client.judge_batches(strings, judge=self.name, **self.asked.arguments)
        verdicts = [verdict for answer in answers for verdict in answer.data]
        return [column.filled([getattr(v, column.name) for v in verdicts]) for column in VERDICT_COLUMNS]
