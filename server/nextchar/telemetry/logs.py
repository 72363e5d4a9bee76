"""Configures the log: one line per event on standard error, as JSON or as text.

What clients send (paths, names, texts of errors) gets into lines. No character of it may end a line, move a
terminal's cursor or turn the direction of writing: whatever is not printable is written as an escape.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal

from nextchar.telemetry.log_writer import LogWriter

_STANDARD_ERROR = 2
LogFormat = Literal["auto", "json", "text"]
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_WITHIN = "  | "  # begins each line of an exception, so that none can pass for a line of its own
_UNUSUAL = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    """Replaces each character that is not printable by its escape, as Python and JSON write it: \\u001b."""
    return _UNUSUAL.sub(lambda found: found[0] if found[0].isprintable() else _escape(found[0]), text)


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


class TextFormatter(logging.Formatter):
    """Formats a record as one line, and its exception as further lines that are marked as such."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        lines = [printable(self.formatMessage(record))]
        if record.exc_info:
            text = self.formatException(record.exc_info)
            lines += [_WITHIN + printable(line) for line in text.split("\n")]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        # JSON's own escapes are printable already; what it leaves as it is becomes another of its escapes.
        return printable(json.dumps(fields, ensure_ascii=False))


class _GoneClients(logging.Filter):
    """Drops gRPC's errors about clients that have left while a message was sent to them.

    Such a call ends as cancelled, and is counted and logged as that.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        return kind is None or kind.__name__ != "ExecuteBatchError"


_GONE_CLIENTS = _GoneClients()


def configure_logs(level: str, style: LogFormat = "auto") -> None:
    """Logs messages from `level` (debug, info, warning, error) up; of the frameworks from warning up.

    The style `auto` is text on a terminal and JSON elsewhere.
    """
    handler = LogWriter(_STANDARD_ERROR)
    as_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "asyncio", "grpc", "opentelemetry"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_GONE_CLIENTS)
