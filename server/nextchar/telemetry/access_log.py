"""One line in the log for every call: what it was, how it ended, how long it took. Never its text."""

import hashlib
import logging
import time

from nextchar.errors import NextcharError
from nextchar.request_context import Call

logger = logging.getLogger(__name__)
_OWNER_DIGITS = 12


class CallLog:
    """Writes a line when a call ends."""

    def begun(self, call: Call) -> None:
        """Nothing yet."""

    def ended(self, call: Call, outcome: str, error: BaseException | None) -> None:
        """The line; its facts travel as `record.facts` for whoever formats it."""
        if not logger.isEnabledFor(logging.INFO):
            return
        seconds = time.monotonic() - call.started
        facts = _facts(call, outcome, error, seconds)
        model = f" {call.model}:{call.version}" if call.model else ""
        logger.info(
            "%s %s%s %s in %.2f ms, %d given, %d sampled",
            *(call.protocol, call.route, model, facts.get("code", outcome)),
            *(1000 * seconds, call.num_given, call.num_sampled),
            extra={"facts": facts},
        )


def _facts(
    call: Call, outcome: str, error: BaseException | None, seconds: float
) -> dict[str, float | str | None]:
    facts: dict[str, float | str | None] = {
        "request_id": call.request_id,
        "route": call.route,
        "protocol": call.protocol,
        "model": call.model or None,
        "version": call.version or None,
        "outcome": outcome,
        "seconds": round(seconds, 6),
        "queue_seconds": round(call.queue_seconds, 6),
        "inference_seconds": round(call.inference_seconds, 6),
        "num_given": call.num_given,
        "num_sampled": call.num_sampled,
        "owner": hashlib.sha256(call.owner.encode()).hexdigest()[:_OWNER_DIGITS] if call.owner else None,
    }
    if isinstance(error, NextcharError):
        facts["code"] = error.code
    if call.trace is not None:
        facts["trace_id"] = call.trace.trace_id
    return facts
