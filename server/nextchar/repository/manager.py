"""Loads and unloads model versions while the server runs.

A version that is unloaded takes no new work; `retired_versions` says what becomes of it. A version whose file
is not valid changes nothing. All methods run on the event loop; files are read and engines stopped on other
threads.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from nextchar.errors import ModelFileError, Unavailable
from nextchar.model.names import check_model_name
from nextchar.repository.folder import Key, ModelPath, PrecisionChoice, by_version
from nextchar.repository.loader import ModelLoader, stop
from nextchar.repository.model import Model
from nextchar.repository.retired_versions import CountSessions, PastVersion, RetiredVersions
from nextchar.repository.served_models import ServedModels

VersionState = Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]
T = TypeVar("T")

_RETRY_SECONDS = 10.0  # until a version that could not be loaded for a session is tried again
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelManagerOptions:
    """The options of a manager.

    With `latest_only` the version that is loaded last retires the others; a retired version is unloaded after
    `unload_after_seconds` at the latest.
    """

    precision: PrecisionChoice = "auto"
    latest_only: bool = False
    unload_after_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """The state of one version, on disk or served; `reason` says why it is not READY.

    A model whose folder has no version is listed with an empty one.
    """

    name: str
    version: str
    state: VersionState
    reason: str


class ModelManager:
    """Loads and unloads the versions of one folder; with `folder` None the served models stay as they are."""

    def __init__(
        self,
        served_models: ServedModels,
        folder: Path | None = None,
        options: ModelManagerOptions | None = None,
    ) -> None:
        self.served_models = served_models
        self._options = options or ModelManagerOptions()
        self._loader = ModelLoader(served_models, folder, self._options.precision)
        self._changing = asyncio.Lock()
        self._retired = RetiredVersions(
            served_models, self._changing, unload_after_seconds=self._options.unload_after_seconds
        )
        self._not_before: dict[Key, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    @property
    def latest_only(self) -> bool:
        """Whether only one version of each model takes new work."""
        return self._options.latest_only

    async def load(self, model_id: str) -> list[Model]:
        """Loads `name` or `name:version` from the folder; returns what it serves of it, in order of version.

        New work goes to the latest version; with `latest_only` to the one that is loaded here, which may be
        earlier than one that was served.

        Raises:
            InvalidRequest, ModelNotFound: the folder has no such model or version.
            ModelFileError: a file is not valid; the served models stay as they are.
            Unavailable: the server is shutting down.
        """
        name, _, version = model_id.partition(":")
        check_model_name(name, version or None)

        async def work() -> list[Model]:
            found = await self._loader.versions(name, version)
            if self._options.latest_only:
                found = found[-1:]
            if not found:
                raise await self._loader.missing(name, version)
            return await self._serve(found)

        return await self._exclusive(work())

    def unload(self, model_id: str) -> list[Model]:
        """Stops giving `name` or `name:version` new work, and unloads it when its sessions have ended.

        Raises:
            InvalidRequest, ModelNotFound: the model is not served.
        """
        name, _, version = model_id.partition(":")
        check_model_name(name, version or None)
        self.served_models.get(model_id)
        found = [m for m in self.served_models.serving if m.name == name and version in ("", m.version)]
        for model in found:
            self._retired.retire(model)
        return found

    def forget(self, name: str, version: str) -> None:
        """Forgets why a version could not be loaded: it is in the folder no more."""
        self._loader.failures.pop((name, version), None)

    async def look_at_layout(self) -> None:
        """Notes what is wrong with the folder's names, and forgets what was."""
        await self._loader.keys()

    def wants(self, name: str, version: str) -> bool:
        """Returns whether a new version in the folder is to be loaded; with `latest_only`, if it is later."""
        others = [int(model.version) for model in self.served_models.serving if model.name == name]
        return not self._options.latest_only or int(version) >= max(others, default=0)

    async def index(self) -> list[IndexEntry]:
        """Lists the state of every version in the folder or served."""
        on_disk = await self._loader.keys()
        served = {(model.name, model.version): model for model in self.served_models}
        keys = sorted({*on_disk, *served}, key=by_version)
        return [IndexEntry(*key, *self._state(key, served.get(key))) for key in keys]

    def _state(self, key: Key, model: Model | None) -> tuple[VersionState, str]:
        if key in self._loader.loading:
            return "LOADING", ""
        if model is None:
            return "UNAVAILABLE", self._loader.failures.get(key, "not loaded")
        if key in self._retired:
            return "UNLOADING", "it is unloaded when its sessions have ended"
        return ("READY", "") if model.ready else ("UNAVAILABLE", "its engine has failed")

    async def for_session(self, name: str, version: str, digest: str) -> Model | None:
        """Returns the version that a session began with: served, retired, or loaded for it from the folder.

        None if it is gone, was unloaded here at its deadline, or its file has changed.
        """
        key = name, version
        model = self.served_models.running(name, version)
        if (
            model is None
            and self._retired.past(key) is None
            and time.monotonic() >= self._not_before.get(key, 0.0)
        ):

            async def work() -> Model | None:
                return self.served_models.running(*key) or await self._load_for_session(key, digest)

            model = await self._exclusive(work())
        return model if model is not None and model.graph.digest == digest else None

    def past(self, name: str, version: str, digest: str) -> PastVersion | None:
        """Returns the facts kept of an unloaded version; None if there are none."""
        found = self._retired.past((name, version))
        return found if found is not None and found.digest == digest else None

    async def unload_retired(self, count_sessions: CountSessions, on_ended: Callable[[int], object]) -> None:
        """Unloads retired versions until cancelled: when idle and without sessions, or at their deadline.

        Calls `on_ended` with the number of sessions that were left.
        """
        await self._retired.let_go(count_sessions, on_ended)

    async def close(self) -> None:
        """Waits until the change that runs is done, and refuses others from now on."""
        self._is_closed = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, paths: list[ModelPath]) -> list[Model]:
        """Loads all that are not loaded yet, then serves them; if one is not valid, none is served.

        A version whose engine has failed is loaded anew.
        """
        opened: list[Model] = []
        found: list[Model] = []
        try:
            for path in paths:
                model = self.served_models.running(path.name, path.version)
                if model is None or not model.ready:
                    model = await self._loader.open(path)
                    opened.append(model)
                else:
                    await self._loader.check_same(model, path)
                found.append(model)
        except BaseException:
            for model in opened:
                await stop(model)
            raise
        for model in opened:
            self.served_models.add(model)
            logger.info("model %s:%s is served", model.name, model.version)
        for model in found:
            self._retired.recall(model)
        if self._options.latest_only:
            self._retire_others(found)
        return found

    def _retire_others(self, found: list[Model]) -> None:
        loaded = {(model.name, model.version) for model in found}
        names = {name for name, _ in loaded}
        for model in self.served_models.serving:
            if model.name in names and (model.name, model.version) not in loaded:
                self._retired.retire(model)

    async def _load_for_session(self, key: Key, digest: str) -> Model | None:
        """Loads a version for its sessions only; None if its file is not the one they began with."""
        self._not_before[key] = time.monotonic() + _RETRY_SECONDS
        try:
            paths = await self._loader.versions(*key)
            if not paths:
                return None
            model = await self._loader.open(paths[0])
        except ModelFileError as error:
            logger.warning("the model of a session cannot be loaded: %s", error)
            return None
        if model.graph.digest != digest:
            await stop(model)
            return None
        self.served_models.add(model, retired=True)
        self._retired.retire(model)
        return model

    async def _exclusive(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs one change at a time, to its end even if its client leaves.

        Raises:
            Unavailable: the server is shutting down.
        """

        async def run() -> T:
            async with self._changing:
                if self._is_closed:
                    work.close()
                    raise Unavailable("the server is shutting down; try another replica", code="draining")
                return await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)  # nothing else would: no client waits for it any more
            raise


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a change of the served models has failed after its client left: %s", error)
