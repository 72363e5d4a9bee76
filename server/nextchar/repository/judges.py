"""Holds the judges that are served, follows their folder, and finds one with its model by its id.

A judge is `<name>/<version>/judge.json` in the folder of judges. A name alone means the latest version that
can be asked; `name:version` pins one. A judge can be asked while its model is served and unchanged. One that
cannot takes nothing from the others, and a file that is not valid changes nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nextchar.errors import JudgeNotFound, ModelFileError, NextcharError, Unavailable
from nextchar.model.judging.card import FILE_NAME, REFERENCES_NAME, read_judge, read_references
from nextchar.model.judging.judge import Judge
from nextchar.model.names import is_model_name
from nextchar.repository.folder import Fingerprint, Key, by_version, inside, version_folders
from nextchar.repository.missing_model import MAX_SHOWN
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels

_FILES = (FILE_NAME, REFERENCES_NAME)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedJudge:
    """A version of a judge; `created` is when it was read, in Unix seconds."""

    name: str
    version: str
    judge: Judge
    created: int

    @property
    def model_id(self) -> str:
        """Its model of normal strings, as name:version."""
        return f"{self.judge.card.normal.model}:{self.judge.card.normal.version}"


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a look at the folder has found: all files, what was read of those that changed, and why not."""

    files: dict[Key, Fingerprint] = field(default_factory=dict)
    read: dict[Key, ServedJudge] = field(default_factory=dict)
    faults: dict[Key, str] = field(default_factory=dict)


class ServedJudges:
    """Holds the judges of one folder; with `folder` None those that `add` is given.

    All methods run on one thread; files are read on others.
    """

    def __init__(self, served_models: ServedModels, folder: Path | None = None) -> None:
        self._served_models, self._folder = served_models, folder
        self._judges: dict[Key, ServedJudge] = {}
        self._known: dict[Key, Fingerprint] = {}
        self._seen: dict[Key, Fingerprint] = {}
        self.failures: dict[Key, str] = {}

    def load(self) -> None:
        """Reads the folder; logs which judges cannot be asked, and why."""
        if self._folder is not None and self._folder.is_dir():
            self._apply(_changes(self._folder, {}, None))
        for judge in self:
            if reason := self.reason(judge):
                logger.error("a judge cannot be asked: %s", reason)

    async def reload(self, *, settled: bool = False) -> None:
        """Reads the versions whose files have changed, and forgets those that are gone.

        Args:
            settled: Only those whose files are as the last call saw them, so that none is read that is still
                being copied.
        """
        if self._folder is None:
            return
        seen = self._seen if settled else None
        try:
            changes = await asyncio.to_thread(_changes, self._folder, dict(self._known), seen)
        except OSError as error:  # it is away: what is known of it stays
            if self._known:
                logger.warning("the judges folder cannot be read now: %s", error)
            return
        self._seen = changes.files
        self._apply(changes)

    def add(self, name: str, version: str, judge: Judge) -> None:
        """Serves a judge, in place of an earlier one of its version."""
        self._judges[name, version] = ServedJudge(name, version, judge, int(time.time()))

    def __iter__(self) -> Iterator[ServedJudge]:
        """Iterates over all judges that were read, in order of name and version."""
        return iter([self._judges[key] for key in sorted(self._judges, key=by_version)])

    def reason(self, judge: ServedJudge) -> str:
        """Says why a judge cannot be asked now; empty if it can."""
        shown = f"judge '{judge.name}:{judge.version}'"
        try:
            model = self._served_models.get(judge.model_id)
            judge.judge.check_model(model.graph.digest)
        except ModelFileError as error:
            return error.message
        except NextcharError as error:
            return f"{shown} needs model {judge.model_id!r}: {error.message}"
        return ""

    def get(
        self, judge_id: str, *, fits: Callable[[ServedJudge], bool] | None = None
    ) -> tuple[ServedJudge, Model]:
        """Finds the judge of `name` or `name:version`, and its model.

        Without a version it is one that `fits`, if there is one.

        Raises:
            JudgeNotFound: there is no such judge, or not in this version.
            Unavailable: it cannot be read, or its model is not served or has changed.
        """
        name, _, version = judge_id.partition(":")
        found = [judge for judge in self if judge.name == name and version in ("", judge.version)]
        if not found:
            raise self._missing(name, version)
        reasons = [self.reason(judge) for judge in found]
        ready = [judge for judge, reason in zip(found, reasons, strict=True) if not reason]
        if not ready:
            raise Unavailable(reasons[-1], code="judge_not_ready")
        chosen = [judge for judge in ready if fits is not None and fits(judge)] or ready
        return chosen[-1], self._served_models.get(chosen[-1].model_id)

    def _missing(self, name: str, version: str) -> NextcharError:
        shown = f"judge {(f'{name}:{version}' if version else name)[:100]!r}"
        for (other, number), reason in self.failures.items():
            if other == name and version in ("", number):
                return Unavailable(f"{shown} cannot be read: {reason}", code="judge_not_ready")
        versions = [judge.version for judge in self if judge.name == name]
        if versions:
            text = f"judge {name!r} is not served in version {version[:40]!r} here; served versions: "
            return JudgeNotFound(text + ", ".join(versions[-MAX_SHOWN:]), param="judge")
        names = ", ".join(sorted({judge.name for judge in self})[:MAX_SHOWN]) or "none"
        return JudgeNotFound(f"{shown} is not served here; served judges: {names}", param="judge")

    def _apply(self, changes: _Changes) -> None:
        for key in self._known.keys() - changes.files.keys():
            logger.info("judge %s:%s is served no more: its files are gone", *key)
            self._judges.pop(key, None)
        for key, judge in changes.read.items():
            self._judges[key] = judge
            logger.info("judge %s:%s is served", *key)
        kept = {key: why for key, why in self.failures.items() if key in changes.files}
        failures = {key: why for key, why in kept.items() if key not in changes.read} | changes.faults
        for key, why in failures.items():
            if self.failures.get(key) != why:
                logger.error("a judge cannot be served: %s", why)
        self.failures = failures
        known = {key: files for key, files in self._known.items() if key in changes.files}
        self._known = known | {
            key: changes.files[key] for key in changes.files if key in changes.read or key in changes.faults
        }


async def watch_judges(judges: ServedJudges, poll_seconds: float) -> None:
    """Follows the folder of judges until cancelled: new and changed versions are read, others forgotten."""
    while True:
        await asyncio.sleep(poll_seconds)
        try:
            await judges.reload(settled=True)
        except Exception:  # whatever one version does, the others are followed
            logger.exception("the judges folder cannot be followed")


def _changes(
    folder: Path, known: Mapping[Key, Fingerprint], seen: Mapping[Key, Fingerprint] | None
) -> _Changes:
    """Looks at the folder; reads what differs from `known`, and where given is the same as in `seen`.

    Raises:
        OSError: the folder cannot be read.
    """
    found = _Changes()
    for path in version_folders(folder):
        key = path.parent.name, path.name
        files = _fingerprint(path)
        if not files:  # no judge, or one that is only being copied in
            continue
        found.files[key] = files
        if files == known.get(key) or (seen is not None and files != seen.get(key)):
            continue
        try:
            found.read[key] = _read(folder, path)
        except ModelFileError as error:
            found.faults[key] = error.message
    found.faults.update(_misplaced(folder))
    next(folder.iterdir(), None)  # last: the folder may vanish meanwhile
    return found


def _fingerprint(version: Path) -> Fingerprint:
    """Tells the files of a version from others; empty if it has no `judge.json`."""
    try:
        stats = [(name, (version / name).stat()) for name in _FILES if (version / name).exists()]
    except OSError:
        return ()
    files = tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
    return files if files and files[0][0] == FILE_NAME else ()


def _read(folder: Path, version: Path) -> ServedJudge:
    name = version.parent.name
    if not is_model_name(name):
        raise ModelFileError(
            f"{name[:100]!r} cannot be the name of a judge: use up to 128 of A-Z a-z 0-9 . _ -, and no dot "
            "first"
        )
    inside(folder, version / FILE_NAME, what="judges")
    card = read_judge(version)
    if card.references is not None and (version / REFERENCES_NAME).exists():
        inside(folder, version / REFERENCES_NAME, what="judges")
    references = read_references(version, card.references) if card.references else None
    return ServedJudge(name, version.name, Judge.of(card, references), int(time.time()))


def _misplaced(folder: Path) -> dict[Key, str]:
    """Says what is wrong with judges that are not in the folder of a version."""
    return {
        (path.parent.name, ""): f"{path.parent.name}/{FILE_NAME} is in no version: move it into "
        f"{path.parent.name}/1"
        for path in folder.glob(f"*/{FILE_NAME}")
    }
