"""Converts what a request says of learning its text into what the engine takes, and back."""

from dataclasses import replace

from nextchar.engine.adaptive.memory import Memory, empty_memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.errors import InvalidRequest
from nextchar.schemas.adaptive import AdaptiveInfo, AdaptiveOptions
from nextchar.schemas.limits import Limits


def new_memory(options: AdaptiveOptions | None, limits: Limits) -> Memory | None:
    """Returns the memory of a text that begins; None if it is not learned.

    A window that was left out is no larger than the limit.

    Raises:
        InvalidRequest: the window is larger than one may be, or no text is learned here.
    """
    if options is None:
        return None
    limit = limits.max_adaptive_window
    if not limit:
        raise InvalidRequest(
            "adaptive is turned off on this server (max_adaptive_window is 0): leave it out", param="adaptive"
        )
    if options.window <= limit:
        return empty_memory(_engine_options(options))
    if "window" in options.model_fields_set:
        raise InvalidRequest(
            f"adaptive.window is {options.window}, the limit is {limit} (max_adaptive_window): "
            "ask for a shorter one",
            param="adaptive.window",
        )
    return empty_memory(replace(_engine_options(options), window=limit))


def told_options(memory: Memory | None) -> AdaptiveInfo | None:
    """Returns how a text is learned, by its memory."""
    if memory is None:
        return None
    adaptive = memory.adaptive
    return AdaptiveInfo(
        orders=list(adaptive.orders), window=adaptive.window, learn_drawn=adaptive.learns_drawn
    )


def check_kept(options: AdaptiveOptions | None, memory: Memory | None) -> None:
    """Checks that a request which brings a state asks for no other learning than the state was made with.

    Raises:
        InvalidRequest: the state is not adaptive, or was made with other options.
    """
    if options is None:
        return
    if memory is None:
        raise InvalidRequest(
            "adaptive is set, and state is of a text that is not learned; leave one of the two out",
            param="adaptive",
        )
    kept = told_options(memory)
    # Options that were left out are those of the state.
    if any(getattr(options, name) != getattr(kept, name) for name in options.model_fields_set):
        raise InvalidRequest(
            "adaptive has other values than state was made with; leave them out to keep the state's",
            param="adaptive",
        )


def _engine_options(options: AdaptiveOptions) -> Adaptive:
    return Adaptive(tuple(options.orders), options.window, options.learn_drawn)
