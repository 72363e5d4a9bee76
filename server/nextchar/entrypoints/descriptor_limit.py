"""Fits the number of connections to the number of files that the process may have open (`ulimit -n`)."""

import logging

from nextchar.entrypoints.settings import Settings

# Files that are open besides connections: models, stores, logs, the metrics port, and the pipes of the
# processes that compile patterns.
RESERVED_DESCRIPTORS = 320

logger = logging.getLogger(__name__)


def fit_connections(settings: Settings) -> Settings:
    """Returns the settings with as many connections as fit, after raising the process's own limit if it may.

    Of REST and of gRPC there may be `max_connections` each.
    """
    allowed = _allow_descriptors(2 * settings.max_connections + RESERVED_DESCRIPTORS)
    fitting = fitting_connections(allowed)
    if settings.max_connections <= fitting:
        return settings
    logger.warning(
        "max_connections is %d instead of %d, because the process may have %d files open (ulimit -n); "
        "raise that limit to %d, or lower the setting",
        *(fitting, settings.max_connections, allowed),
        2 * settings.max_connections + RESERVED_DESCRIPTORS,
    )
    return settings.model_copy(update={"max_connections": fitting})


def fitting_connections(num_descriptors: int) -> int:
    """Returns how many connections of each API fit: half of what is left, or a quarter of very few."""
    return max(1, (num_descriptors - RESERVED_DESCRIPTORS) // 2, num_descriptors // 8)


def _allow_descriptors(num_wanted: int) -> int:
    """Raises the soft limit of open files towards a number, if it is lower; returns the limit."""
    try:
        import resource
    except ModuleNotFoundError:  # on Windows, where sockets are no files
        return num_wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= num_wanted:
        return num_wanted
    reachable = num_wanted if hard == resource.RLIM_INFINITY else min(hard, num_wanted)
    if reachable > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    return max(soft, reachable)
