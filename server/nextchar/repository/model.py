"""Defines a model that is served: its graph, its engines, and what is told of both."""

from dataclasses import dataclass

from nextchar.engine.adaptive.hot_tables import HotUse
from nextchar.model.graph import ModelGraph
from nextchar.repository.engine_pool import EnginePool
from nextchar.telemetry.engine_stats import EngineStats
from nextchar.telemetry.request_context import RequestContext


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is served; `created` is when it was loaded, in Unix seconds."""

    name: str
    version: str
    graph: ModelGraph
    engine: EnginePool
    load_duration_seconds: float
    created: int

    @property
    def ready(self) -> bool:
        return self.engine.ready

    @property
    def num_waiting(self) -> int:
        return self.engine.num_waiting

    @property
    def max_waiting(self) -> int:
        return self.engine.max_waiting

    @property
    def num_running(self) -> int:
        return self.engine.num_running

    @property
    def max_lanes(self) -> int:
        return self.engine.max_lanes

    @property
    def num_adaptive(self) -> int:
        return self.engine.num_adaptive

    @property
    def table_bytes(self) -> int:
        return self.engine.table_bytes

    @property
    def hot_tables(self) -> HotUse:
        return self.engine.hot_tables

    @property
    def max_table_bytes(self) -> int:
        return self.engine.max_table_bytes

    @property
    def stats(self) -> list[EngineStats]:
        return self.engine.stats

    def used_by(self, ctx: RequestContext) -> None:
        """Names the model in the context of a request, which holds it until the request has ended."""
        self.named_in(ctx)
        self.engine.hold()
        ctx.at_end.append(self.engine.release)

    def named_in(self, ctx: RequestContext) -> None:
        """Names the model in the context of a request: metrics count what follows as this model's."""
        ctx.model, ctx.version = self.name, self.version

    @property
    def info(self) -> dict[str, str]:
        card = self.graph.card
        return {
            "cell": card.cell,
            "precision": card.precision,
            "vocab_size": str(len(card.vocabulary.characters)),
            "digest": self.graph.digest,
            "kernels": self.graph.kernels or "none",
        }
