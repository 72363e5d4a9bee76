"""Says why a model that a request names is not served."""

from collections.abc import Sequence

from nextchar.errors import ModelNotFound, NextcharError, Unavailable
from nextchar.repository.folder import Key

MAX_SHOWN = 10  # versions in a message, the latest


def why_missing(
    name: str, version: str, *, param: str, is_damaged: bool, has_served: bool, served: Sequence[Key]
) -> NextcharError:
    """Makes the error of a request for a model that is not served, or not in a version.

    Args:
        version: Empty if the request names none.
        param: The field of the request that names them.
        is_damaged: Whether it is in the models folder and cannot be served.
        has_served: Whether the server has ever had a model.
        served: What takes new work, in order of name and version.
    """
    shown = f"{param} {(f'{name}:{version}' if version else name)[:100]!r}"
    if is_damaged:
        return Unavailable(
            f"{shown} is in the models folder and cannot be served: the repository index and the server's "
            "log say why"
        )
    if not has_served:
        return Unavailable(f"{shown} is not served: the server has no model yet")
    versions = [number for other, number in served if other == name]
    if versions:
        return ModelNotFound(
            f"{param} {name!r} is not served in version {version[:40]!r} here; served versions: "
            f"{', '.join(versions[-MAX_SHOWN:])}",
            param=param,
        )
    names = ", ".join(sorted({other for other, _ in served})) or "none"
    return ModelNotFound(f"{shown} is not served here; served models: {names}", param=param)
