"""Chooses the model of requests that name none, and checks the names of models in the settings."""

import logging
from collections.abc import Collection, Iterable

from nextchar.errors import SettingsInvalid
from nextchar.repository.folder import Key
from nextchar.repository.model import Model

logger = logging.getLogger(__name__)


def default_of(models: Iterable[Model]) -> Model | None:
    """Returns the model of requests that name none where no setting names it; None if there is no model.

    It is the one with the largest state of those of running text, or of all if none is of running text; of
    equals the first by name. Of its versions it is the latest, which is the last in order.
    """
    latest = {model.name: model for model in models}.values()

    def rank(model: Model) -> tuple[bool, int, str]:
        return model.graph.vocabulary.unit != "text", -model.graph.state_bytes, model.name

    return min(latest, key=rank, default=None)


def check_names(default_model: str | None, others: Iterable[str], known: Collection[Key]) -> None:
    """Checks the names of models that settings hold against the names and versions that are there.

    A folder without any model may get one later. Of `others`, which the settings give a time to live, one
    that is not there is logged.

    Raises:
        SettingsInvalid: the default model is not there.
    """
    names = sorted({name for name, _ in known})
    if not names:
        return
    if default_model is not None:
        _check_default(default_model, names, known)
    for name in others:
        if name not in names:
            told = ", ".join(names)
            logger.warning(
                "model_session_ttl_seconds names %r, which is not in the models folder: %s", name[:100], told
            )


def _check_default(default_model: str, names: Collection[str], known: Collection[Key]) -> None:
    name, _, version = default_model.partition(":")
    shown = f"default_model is {default_model[:100]!r}, which is not"
    if name not in names:
        raise SettingsInvalid(f"{shown} in the models folder; it has: {', '.join(names)}")
    versions = sorted({other for model, other in known if model == name}, key=lambda v: (len(v), v))
    if version and version not in versions:
        raise SettingsInvalid(f"{shown} served; the versions of {name} are: {', '.join(versions)}")
