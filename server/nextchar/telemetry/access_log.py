"""Logs one line per request: its route, model, outcome and duration, never its text."""

import hashlib
import logging
import time

from nextchar.errors import NextcharError
from nextchar.telemetry.request_context import RequestContext

logger = logging.getLogger(__name__)
_OWNER_DIGITS = 12


class AccessLog:
    """Logs a line when a request ends."""

    def begun(self, ctx: RequestContext) -> None:
        """Does nothing; the line is logged at the end."""

    def ended(self, ctx: RequestContext, outcome: str, error: BaseException | None) -> None:
        """Logs the line; `record.facts` carries its facts for the JSON format."""
        if not logger.isEnabledFor(logging.INFO):
            return
        seconds = time.monotonic() - ctx.started
        facts = _facts(ctx, outcome, error, seconds)
        model = f" {ctx.model}:{ctx.version}" if ctx.model else ""
        logger.info(
            "%s %s%s %s in %.2f ms, %d given, %d sampled",
            *(ctx.protocol, ctx.route, model, facts.get("code", outcome)),
            *(1000 * seconds, ctx.num_given, ctx.num_sampled),
            extra={"facts": facts},
        )


def _facts(
    ctx: RequestContext, outcome: str, error: BaseException | None, seconds: float
) -> dict[str, float | str | None]:
    facts: dict[str, float | str | None] = {
        "request_id": ctx.request_id,
        "route": ctx.route,
        "protocol": ctx.protocol,
        "model": ctx.model or None,
        "version": ctx.version or None,
        "outcome": outcome,
        "seconds": round(seconds, 6),
        "queue_seconds": round(ctx.queue_seconds, 6),
        "inference_seconds": round(ctx.inference_seconds, 6),
        "num_given": ctx.num_given,
        "num_sampled": ctx.num_sampled,
        "owner": hashlib.sha256(ctx.owner.encode()).hexdigest()[:_OWNER_DIGITS] if ctx.owner else None,
    }
    if isinstance(error, NextcharError):
        facts["code"] = error.code
    if ctx.trace is not None:
        facts["trace_id"] = ctx.trace.trace_id
    return facts
