"""Defines a judge that is loaded into this process with its model: the client's methods, without a server."""

from collections.abc import Generator, Iterable
from os import PathLike
from pathlib import Path
from typing import Unpack

from nextchar.client import operations
from nextchar.client.arguments import JudgeArguments
from nextchar.entrypoints.library.model import Model
from nextchar.model.judging.card import JudgeCard, read_judge, read_references
from nextchar.model.judging.judge import Judge, model_file, models_beside
from nextchar.repository.judge_path import find_judge
from nextchar.schemas.judging import JudgeResponse


class LoadedJudge(Model):
    """A judge in this process; it is also its model of normal strings, which scores.

        with nextchar.load_judge("judges/dga") as judge:
            judge.judge(["wikipedia.org", "qmvxkzkwbtjh.biz"], false_alarm_rate=0.001)

    Answers are those of `nextchar.client.Client.judge`. Threads may share one.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        models: str | PathLike[str] | None = None,
        num_threads: int | None = None,
    ) -> None:
        """Loads the folder of a judge (its latest version) or of a version, and its model.

        Args:
            path: Of the folder.
            models: The folder of models; by default `models` beside the folder of judges.
            num_threads: Engines that run at a time; by default one per core that this process may use.

        Raises:
            ModelFileError: there is no such judge, or its model or references are gone or have changed.
        """
        folder = find_judge(Path(path)).absolute()
        card = read_judge(folder)
        file = model_file(card, models_beside(folder) if models is None else Path(models), folder)
        judge = Judge.of(card, read_references(folder, card.references) if card.references else None)
        super().__init__(file, num_threads=num_threads)
        self._judge, self._judge_id = judge, f"{folder.parent.name}:{folder.name}"
        self._runtime.service.judger.judges.add(folder.parent.name, folder.name, judge)

    def __repr__(self) -> str:
        return f"<nextchar judge {self._judge_id!r}>"

    @property
    def judge_card(self) -> JudgeCard:
        """What the judge's file says of itself: evidence, calibration, thresholds, quality, origin."""
        return self._judge.card

    def judge(
        self, strings: list[str], *, judge: str | None = None, **arguments: Unpack[JudgeArguments]
    ) -> JudgeResponse:
        """Returns for each string whether the judge flags it, and its p-value; `judge` is not needed."""
        return self.execute(operations.judge(strings, judge or self._judge_id, arguments))

    def judge_batches(
        self, strings: Iterable[str], *, judge: str | None = None, **arguments: Unpack[JudgeArguments]
    ) -> Generator[JudgeResponse]:
        """Judges any number of strings; yields the answers as `score_batches` does; `judge` is not needed."""
        return super().judge_batches(strings, judge=judge or self._judge_id, **arguments)
