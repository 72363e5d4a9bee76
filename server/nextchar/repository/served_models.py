"""Holds the models that are served, with their engines, and finds one by its id.

A name alone means the latest version; `name:version` pins one.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nextchar.engine.engine import EngineOptions
from nextchar.engine.work import Outbox
from nextchar.errors import GoldenMismatch, ModelNotFound
from nextchar.model.golden import check_golden
from nextchar.model.graph import ModelGraph, open_graph
from nextchar.repository.engine_pool import EnginePool
from nextchar.repository.folder import ModelPath
from nextchar.telemetry.engine_stats import EngineStats

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is served; `created` is when it was loaded, in Unix seconds."""

    name: str
    version: str
    graph: ModelGraph
    engine: EnginePool
    load_duration_seconds: float
    created: int

    @property
    def ready(self) -> bool:
        return self.engine.ready

    @property
    def num_waiting(self) -> int:
        return self.engine.num_waiting

    @property
    def max_waiting(self) -> int:
        return self.engine.max_waiting

    @property
    def num_running(self) -> int:
        return self.engine.num_running

    @property
    def max_lanes(self) -> int:
        return self.engine.max_lanes

    @property
    def stats(self) -> list[EngineStats]:
        return self.engine.stats

    @property
    def info(self) -> dict[str, str]:
        card = self.graph.card
        return {
            "cell": card.cell,
            "precision": card.precision,
            "vocab_size": str(len(card.vocabulary.characters)),
            "digest": self.graph.digest,
        }


class ServedModels(AbstractContextManager["ServedModels"]):
    """Holds the served models; a context manager: their engines run inside the context.

    `open` may run on any thread; all other methods run on one.
    """

    def __init__(
        self,
        paths: Sequence[ModelPath],
        options: EngineOptions,
        *,
        num_threads: int,
        deliver: Callable[[Outbox], object],
    ) -> None:
        self._paths = paths
        self._options = options
        self._num_threads = num_threads
        self._deliver = deliver
        self._models: dict[tuple[str, str], Model] = {}
        self._retired: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        """Opens all models; raises ModelFileError for a file that is not valid."""
        try:
            for path in self._paths:
                self.add(self.open(path))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for model in self:
            model.engine.__exit__(None, None, None)
        self._models.clear()

    def __iter__(self) -> Iterator[Model]:
        """Iterates over all loaded models, retired ones too, in order of name and version."""
        return iter([self._models[key] for key in sorted(self._models, key=_order)])

    @property
    def serving(self) -> list[Model]:
        """The models that take new work."""
        return [model for model in self if (model.name, model.version) not in self._retired]

    @property
    def ready(self) -> bool:
        serving = self.serving
        return bool(serving) and all(model.ready for model in serving)

    def seconds_left(self) -> float:
        """Estimates when the work of all models is finished, as `Engine.seconds_left` does."""
        return max((model.engine.seconds_left() for model in self), default=0.0)

    def get(self, model_id: str) -> Model:
        """Finds the model of `name` or `name:version` for new work; a name alone is its latest version.

        Raises:
            ModelNotFound: the model is not served.
        """
        name, _, version = model_id.partition(":")
        found = [m for m in self.serving if m.name == name and version in ("", m.version)]
        if not found:
            served = ", ".join(sorted({model.name for model in self.serving})) or "none"
            raise ModelNotFound(
                f"model {model_id[:100]!r} is not served here; served models: {served}", param="model"
            )
        return found[-1]

    def running(self, name: str, version: str) -> Model | None:
        """Returns a loaded version, retired or not; None if it is not loaded."""
        return self._models.get((name, version))

    def open(self, path: ModelPath) -> Model:
        """Opens and checks a model file and starts its engines; the model is not served yet.

        Raises:
            ModelFileError: the file is not valid.
        """
        started = time.monotonic()
        graph = self._open(path)
        load_seconds = time.monotonic() - started
        engine = EnginePool(
            graph,
            self._options,
            num_threads=self._num_threads,
            deliver=self._deliver,
            load_seconds=load_seconds,
        )
        engine.__enter__()
        return Model(path.name, path.version, graph, engine, load_seconds, int(time.time()))

    def add(self, model: Model, *, retired: bool = False) -> None:
        """Serves a model; a retired one serves only the sessions that began with it."""
        key = model.name, model.version
        self._models[key] = model
        if retired:
            self._retired.add(key)

    def retire(self, name: str, version: str) -> None:
        """Stops giving a version new work."""
        self._retired.add((name, version))

    def recall(self, name: str, version: str) -> None:
        """Gives a retired version new work again."""
        self._retired.discard((name, version))

    def remove(self, name: str, version: str) -> Model:
        """Removes a version and returns it; its engines still run."""
        self._retired.discard((name, version))
        return self._models.pop((name, version))

    @staticmethod
    def _open(path: ModelPath) -> ModelGraph:
        """Opens the graph of a model, or its fallback if the golden strings do not match here."""
        try:
            return _open_checked(path, path.path)
        except GoldenMismatch as error:
            if path.fallback is None:
                raise
            logger.warning("%s; serving %s instead", error, path.fallback.name)
            return _open_checked(path, path.fallback)


def _order(key: tuple[str, str]) -> tuple[str, int, str]:
    name, version = key
    return name, int(version) if version.isdecimal() else 0, version


def _open_checked(model: ModelPath, file: Path) -> ModelGraph:
    shown = f"{model.name}/{model.version}/{file.name}"
    graph = open_graph(file, shown=shown)
    if graph.card.graph == "step":
        check_golden(graph, shown=shown)
    return graph
