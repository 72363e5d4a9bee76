"""Holds the models that are served, with their engines, and finds one by its id.

A name alone means the latest version; `name:version` pins one; no name means the default model.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Self

from nextchar.engine.options import EngineOptions
from nextchar.engine.work import Outbox
from nextchar.errors import ModelFileError, NextcharError, Unavailable
from nextchar.model.kernels.opening import KernelChoice
from nextchar.repository.checked_graph import open_checked
from nextchar.repository.default_model import default_of
from nextchar.repository.engine_pool import EnginePool
from nextchar.repository.folder import Fingerprint, FoundModels, Key, ModelPath, by_version
from nextchar.repository.missing_model import why_missing
from nextchar.repository.model import Model

logger = logging.getLogger(__name__)


class ServedModels(AbstractContextManager["ServedModels"]):
    """Holds the served models; a context manager: their engines run inside the context.

    A version that cannot be served takes nothing from the others: `failures` says why, by name and version.
    `open` may run on any thread; all other methods run on one.
    """

    def __init__(
        self,
        found: FoundModels,
        options: EngineOptions,
        *,
        num_threads: int,
        deliver: Callable[[Outbox], object],
        latest_only: bool = False,
        strict_readiness: bool = False,
        default_model: str | None = None,
        kernels: KernelChoice = "auto",
    ) -> None:
        """Takes what is to be served.

        Args:
            latest_only: Serve of each model only the latest version that can be.
            strict_readiness: Be ready only while there are no `failures`.
            default_model: The model of requests that name none, as `get` takes it; by default `default_of`
                chooses it.
            kernels: Whether step graphs run with compiled cells where `nextchar-kernels` is installed.
        """
        self._default_model, self._kernels = default_model, kernels
        self._found = found
        self._latest_only, self._strict_readiness = latest_only, strict_readiness
        self.failures: dict[Key, str] = {}
        self._has_served = False
        self._withdrawn: set[str] = set()  # models that were served and are not to be
        self._options = options
        self._num_threads = num_threads
        self._deliver = deliver
        self._models: dict[Key, Model] = {}
        self._leaving: list[Model] = []  # served no more, while requests that hold them end
        self._retired: set[Key] = set()

    def __enter__(self) -> Self:
        """Opens all models that can be; logs and keeps why others cannot."""
        for key, reason in self._found.faults.items():
            self._fail(key, reason)
        try:
            for path in reversed(self._found.paths):  # the latest version of a model first
                if not (self._latest_only and any(model.name == path.name for model in self)):
                    self._open_if_valid(path)
        except BaseException:
            self.close()
            raise
        return self

    def _open_if_valid(self, path: ModelPath) -> None:
        try:
            self.add(self.open(path))
        except ModelFileError as error:
            self._fail((path.name, path.version), error.message)

    def _fail(self, key: Key, reason: str) -> None:
        self.failures[key] = reason
        logger.error("a model cannot be served: %s", reason)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops all engines, also those of models that requests still hold."""
        for model in [*self, *self._leaving]:
            model.engine.__exit__(None, None, None)
        self._models.clear()
        self._leaving.clear()

    def __iter__(self) -> Iterator[Model]:
        """Iterates over all loaded models, retired ones too, in order of name and version.

        A scrape of the metrics does so on another thread: the models are read in one step.
        """
        items = sorted(self._models.items(), key=lambda item: by_version(item[0]))
        return iter([model for _, model in items])

    @property
    def fingerprints(self) -> Mapping[Key, Fingerprint]:
        """The files of the versions that were in the folder before any of them was opened."""
        return self._found.fingerprints

    @property
    def serving(self) -> list[Model]:
        """The models that take new work."""
        return [model for model in self if (model.name, model.version) not in self._retired]

    @property
    def ready(self) -> bool:
        return not self.unready_reason

    @property
    def unready_reason(self) -> str:
        """Why the server is not ready, in words that name no model: health needs no key. Empty if it is."""
        serving = self.serving
        if not serving:
            return "no model is served"
        if self._strict_readiness and self.failures:
            return "not every model is served: the repository index and the log say which, and why"
        return "" if all(model.ready for model in serving) else "not ready"

    def seconds_left(self) -> float:
        """Estimates when the work of all models is finished, as `Engine.seconds_left` does."""
        return max((model.engine.seconds_left() for model in self), default=0.0)

    @property
    def default(self) -> Model | None:
        """The model of requests that name none; None while it is not served."""
        try:
            return self.get(None)
        except NextcharError:
            return None

    @property
    def known(self) -> set[Key]:
        """The names and versions that are served, or would be if their files were right."""
        return {(model.name, model.version) for model in self} | self.failures.keys()

    def get(self, model_id: str | None, *, param: str = "model") -> Model:
        """Finds the model of `name` or `name:version` for new work; a name alone is its latest version.

        Args:
            param: The field of a request that names it.

        Raises:
            ModelNotFound: the model is not served, or not in this version.
            Unavailable: it cannot be served as its files are, or no model is served yet.
        """
        model_id = self._default_model if model_id is None else model_id
        if model_id is None:
            found_default = default_of(self.serving)
            if found_default is None:
                raise Unavailable("no model is served now")
            return found_default
        name, _, version = model_id.partition(":")
        found = [m for m in self.serving if m.name == name and version in ("", m.version)]
        if not found:
            raise self._missing(name, version, param)
        return found[-1]

    def _missing(self, name: str, version: str, param: str) -> NextcharError:
        failed = any(name == other and version in ("", number) for other, number in self.failures)
        return why_missing(
            name,
            version,
            param=param,
            is_damaged=failed and name not in self._withdrawn,
            has_served=self._has_served,
            served=[(model.name, model.version) for model in self.serving],
        )

    def running(self, name: str, version: str) -> Model | None:
        """Returns a loaded version, retired or not; None if it is not loaded."""
        return self._models.get((name, version))

    def open(self, path: ModelPath) -> Model:
        """Opens and checks a model file and starts its engines; the model is not served yet.

        Raises:
            ModelFileError: the file is not valid.
        """
        started = time.monotonic()
        graph = open_checked(path, self._kernels)
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
        """Serves a model, in place of an earlier one of its version.

        A retired one serves only the sessions that began with it.
        """
        key = model.name, model.version
        if key in self._models:
            self.remove(*key)
        self._models[key] = model
        self._has_served = True
        if retired:
            self._retired.add(key)
        else:
            self._withdrawn.discard(model.name)

    def retire(self, name: str, version: str) -> None:
        """Stops giving a version new work."""
        self._retired.add((name, version))
        if not any(model.name == name for model in self.serving):
            self._withdrawn.add(name)

    def recall(self, name: str, version: str) -> None:
        """Gives a retired version new work again."""
        self._retired.discard((name, version))
        self._withdrawn.discard(name)

    def remove(self, name: str, version: str) -> Model:
        """Takes a version out of service and returns it; its engines run until `forget`."""
        self._retired.discard((name, version))
        model = self._models.pop((name, version))
        self._leaving.append(model)
        return model

    def unheld(self) -> list[Model]:
        """Returns the models out of service that no request holds any more: their engines can be stopped."""
        return [model for model in self._leaving if not model.engine.num_held]

    def forget(self, model: Model) -> None:
        """Forgets a model out of service, whose engines are stopped."""
        self._leaving = [other for other in self._leaving if other is not model]
