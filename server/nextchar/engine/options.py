"""Defines the sizes and limits of an engine."""

from dataclasses import dataclass, field

from nextchar.engine.adaptive.tables import DEFAULT_TABLE_BYTES, MAX_TABLE_BYTES
from nextchar.engine.turns.core_share import CoreShare
from nextchar.engine.work import UNLIMITED

MAX_STEPS = 16  # characters per row in one call of the graph


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The sizes and limits of one engine.

    `max_lanes` rows are for completions, `reserved_lanes` more for interactive requests, `max_bulk_lanes` for
    jobs. `max_waiting` strings may wait per level, each for `max_wait_seconds`. A call of the graph has at
    most `max_steps` steps; 1 turns calls of several steps off, which changes no byte of any answer.
    The tables of adaptive lanes have at most `max_table_bytes` together, and at least those of one: a lane
    whose tables find no room waits in its queue, and plain lanes pass it. What running lanes leave of these
    bytes keeps the tables of lanes that have ended, for those that go on from there. All engines of a process
    have one `share` of its cores.
    """

    max_lanes: int
    reserved_lanes: int
    max_bulk_lanes: int
    max_waiting: int
    max_wait_seconds: float = UNLIMITED
    max_steps: int = MAX_STEPS
    max_table_bytes: int = DEFAULT_TABLE_BYTES
    share: CoreShare = field(default_factory=CoreShare)

    def __post_init__(self) -> None:
        if self.max_table_bytes < MAX_TABLE_BYTES:
            raise ValueError(
                f"max_table_bytes is {self.max_table_bytes}, but one adaptive lane may need {MAX_TABLE_BYTES}"
            )
