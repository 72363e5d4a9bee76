"""Starts a completion from a session's state, and moves the state to where the completion ends."""

from collections.abc import Awaitable, Callable, Mapping

from nextchar.repository.model import Model
from nextchar.schemas.completion import Completion
from nextchar.service.inference.completion_plan import CompletionEnd, Start
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper

SaveState = Callable[[SessionState], Awaitable[Mapping[str, object]]]


def start_from(
    state: SessionState,
    model: Model,
    stepper: SessionStepper,
    save: SaveState | None,
    *,
    answer_type: type[Completion] = Completion,
    fields: Mapping[str, object] | None = None,
) -> Start:
    """Returns a start after a state; `save` is given the state after the completion, if it is wanted."""

    async def save_end(end: CompletionEnd) -> Mapping[str, object]:
        assert save is not None
        return await save(await stepper.sampled(state, end))

    return Start(
        model,
        state.here.state,
        state.here.memory,
        continues=True,
        after_return=state.here.after_return,
        seed=state.seed,
        first_draw=state.here.num_drawn,
        answer_type=answer_type,
        fields=fields or {},
        save=None if save is None else save_end,
    )
