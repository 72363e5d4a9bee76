"""Picks ports for servers that keep theirs when they are started again.

They are below those that systems give to outgoing connections and to servers that ask for any port, so no
other socket takes one between two starts; each worker of a run has a share of its own.
"""

import os
import random
import socket
from itertools import cycle

_LOW, _HIGH = 15_000, 30_000
_NUM_SHARES = 16

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _NUM_SHARES
_share = range(_LOW + _worker, _HIGH, _NUM_SHARES)
_start = random.SystemRandom().randrange(len(_share))
_candidates = cycle([*_share[_start:], *_share[:_start]])


def free_port() -> int:
    """Returns a port of loopback that no socket is bound to."""
    for port in _candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("unreachable: the candidates never end")
