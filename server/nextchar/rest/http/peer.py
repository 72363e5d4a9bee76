"""Asks the system about the other end of a connection, also for what the event loop has not read yet.

After a pause of the process, a request and the end of its connection may both wait in the socket: the loop
reads the request, and learns of the end only after the request has begun. Where the system has no POLLRDHUP
(macOS), the end is known once the loop has read up to it.
"""

import select

_SENT_ALL = getattr(select, "POLLRDHUP", 0)


def has_sent_all(file: int) -> bool:
    """Returns whether the peer has ended its direction of a connection, or all of it."""
    return bool(_events(file))


def has_reset(file: int) -> bool:
    """Returns whether the connection is over in both directions: nobody can read an answer."""
    return bool(_events(file) & (select.POLLERR | select.POLLHUP | select.POLLNVAL))


def _events(file: int) -> int:
    if file < 0:
        return select.POLLNVAL
    look = select.poll()
    look.register(file, _SENT_ALL)
    found = look.poll(0)
    return found[0][1] if found else 0
