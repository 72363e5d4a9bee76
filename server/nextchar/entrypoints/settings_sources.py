"""Reads settings from a TOML file and checks the names of environment variables.

Without the check a misspelt name would be ignored.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nextchar.errors import SettingsInvalid
from nextchar.security.operator_file import read_text

PREFIX = "NEXTCHAR_"
# Variables that the client commands read; they are not settings of the server.
OTHER_VARIABLES = frozenset({"NEXTCHAR_URL", "NEXTCHAR_API_KEY"})
# Kubernetes gives every pod variables for every service of its namespace, named after the service: for one
# called nextchar, or nextchar-…, they begin like ours. These are its names
# (kubernetes.io/docs/concepts/services-networking/service, "Environment variables").
_SERVICE_LINK = re.compile(
    r"NEXTCHAR_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")


def check_environment(environment: Mapping[str, str], names: Iterable[str]) -> None:
    """Checks that every variable that begins with NEXTCHAR_ is a setting.

    Raises:
        SettingsInvalid: a variable is not a setting, or Kubernetes has set it for a service.
    """
    known = {PREFIX + name.upper() for name in names}
    for variable, value in environment.items():
        name = variable.upper()  # as pydantic-settings reads them
        if not name.startswith(PREFIX) or name in OTHER_VARIABLES or _SERVICE_LINK.fullmatch(name):
            continue
        linked = name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(value)
        if name in known and linked:
            raise SettingsInvalid(
                f"{variable} is {value!r}, which Kubernetes sets for a service of that name: "
                "rename the service, or set enableServiceLinks: false in the pod"
            )
        if name not in known and not linked:
            raise SettingsInvalid(f"there is no setting {variable}{_suggestion(name, known)}")


def read_file(path: Path, names: Iterable[str]) -> dict[str, Any]:
    """Returns the settings in a TOML file, by name.

    Raises:
        SettingsInvalid: the file cannot be read, is not TOML, or has a name that is not a setting.
    """
    text = read_text(path, "config")
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsInvalid(f"config: {str(path)!r} is not TOML: {error}") from error
    known = set(names) - {"config"}
    for name in values:
        if name not in known:
            raise SettingsInvalid(f"config: {str(path)!r} has no setting {name!r}{_suggestion(name, known)}")
    return values


def _suggestion(name: str, known: Iterable[str]) -> str:
    by_word = {full.removeprefix(PREFIX): full for full in sorted(known)}
    nearest = get_close_matches(name.removeprefix(PREFIX), by_word, n=1)
    return f"; did you mean {by_word[nearest[0]]}?" if nearest else "; nextchar serve --help lists them"
