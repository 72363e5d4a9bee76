"""Reads server-sent events strictly: it accepts what our server may write, and nothing else.

The standard (https://html.spec.whatwg.org/multipage/server-sent-events.html) tolerates much; hand-written
clients do not. So: UTF-8, lines that end in a line feed alone, one `data: ` line per event, an empty line
after each, comments between events only, nothing after the last empty line.
"""

from dataclasses import dataclass, field

_DATA = "data: "


class BrokenStream(AssertionError):
    """Raised for bytes that a strict reader does not accept."""


@dataclass(slots=True)
class EventReader:
    """Reads bytes as they come, cut anywhere."""

    events: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    _rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Reads more bytes.

        Raises:
            BrokenStream: an event is not valid.
        """
        *wholes, self._rest = (self._rest + data).split(b"\n\n")
        for whole in wholes:
            self._take(whole)

    def close(self) -> None:
        """Ends the stream.

        Raises:
            BrokenStream: the last event is incomplete.
        """
        if self._rest:
            raise BrokenStream(f"the stream ends inside an event: {self._rest!r}")

    def _take(self, whole: bytes) -> None:
        text = whole.decode("utf-8")  # strict
        if "\n" in text or "\r" in text:
            raise BrokenStream(f"more than one line: {text!r}")
        if text.startswith(":"):
            self.comments.append(text[1:])
        elif text.startswith(_DATA):
            self.events.append(text.removeprefix(_DATA))
        else:
            raise BrokenStream(f"neither data nor comment: {text!r}")


def read_events(chunks: list[bytes]) -> list[str]:
    """Returns the data of each event of a whole stream."""
    reader = EventReader()
    for chunk in chunks:
        reader.feed(chunk)
    reader.close()
    return reader.events
