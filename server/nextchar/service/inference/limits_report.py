"""Reports all limits of a server in one answer."""

from nextchar.engine.estimates.memory_estimate import (
    STRING_BYTES,
    STRING_CHAR_BYTES,
    bulk_lane_bytes,
    lane_bytes,
)
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels
from nextchar.schemas.adaptive import MAX_ORDER, MAX_ORDERS, MIN_WINDOW
from nextchar.schemas.completion import MAX_CHOICES
from nextchar.schemas.limits import MAX_HEAD_BYTES, ApiLimits, Limits, SessionLimits
from nextchar.schemas.limits_report import LimitsResponse, ModelLimits, OwnerLimits, RequestLimits
from nextchar.schemas.sampling import MAX_PATTERN_CHARS, MAX_STOPS, MAX_TOP_LOGPROBS


class LimitsReport:
    """Reports the limits from the objects that enforce them."""

    def __init__(
        self, served_models: ServedModels, limits: Limits, sessions: SessionLimits, api: ApiLimits
    ) -> None:
        self._served_models, self._limits, self._sessions, self._api = served_models, limits, sessions, api

    def limits(self) -> LimitsResponse:
        """Returns the limits as they are now: models come and go."""
        limits, sessions, api = self._limits, self._sessions, self._api
        request = RequestLimits(
            max_body_bytes=api.max_body_bytes,
            max_strings=limits.max_strings,
            max_input_chars=limits.max_input_chars,
            max_request_chars=limits.max_request_chars,
            max_tokens=limits.max_tokens,
            max_choices=limits.max_choices,
            max_answer_bytes=limits.max_answer_bytes,
            max_inspect_chars=limits.max_inspect_chars,
            max_inspect_values=limits.max_inspect_values,
            strict_characters=limits.strict_characters,
            receive_timeout_seconds=api.receive_timeout_seconds,
            timeout_seconds=api.request_timeout_seconds,
            queue_timeout_seconds=api.queue_timeout_seconds,
            max_n=MAX_CHOICES,
            max_stops=MAX_STOPS,
            max_top_logprobs=MAX_TOP_LOGPROBS,
            max_pattern_chars=MAX_PATTERN_CHARS,
            max_head_bytes=MAX_HEAD_BYTES,
            max_adaptive_orders=MAX_ORDERS,
            max_adaptive_order=MAX_ORDER,
            min_adaptive_window=MIN_WINDOW,
            max_adaptive_window=limits.max_adaptive_window,
        )
        owner = OwnerLimits(
            max_sessions=sessions.max_sessions,
            max_state_bytes=sessions.max_state_bytes,
            max_checkpoints=sessions.max_checkpoints,
            session_ttl_seconds=sessions.ttl_seconds,
            max_lanes_per_key=api.max_lanes_per_key,
        )
        models = [self._of_model(model) for model in self._served_models.serving]
        return LimitsResponse(request=request, owner=owner, models=models)

    def _of_model(self, model: Model) -> ModelLimits:
        pool, state_bytes = model.engine, model.graph.state_bytes
        num_outputs = model.graph.vocabulary.num_outputs
        rows = pool.max_lanes * lane_bytes(state_bytes, num_outputs)
        rows += pool.max_bulk_lanes * bulk_lane_bytes(state_bytes, num_outputs)
        waiting = pool.max_waiting * (STRING_BYTES + STRING_CHAR_BYTES * self._limits.max_input_chars)
        return ModelLimits(
            model=model.name,
            model_version=model.version,
            session_ttl_seconds=self._sessions.ttl_seconds_of(model.name),
            max_lanes=pool.max_lanes,
            max_bulk_lanes=pool.max_bulk_lanes,
            max_waiting=pool.max_waiting,
            state_bytes=state_bytes,
            rows_bytes=rows,
            max_waiting_bytes=waiting,
            max_adaptive_table_bytes=pool.max_table_bytes,
        )
