"""Finds free ports."""

import socket


def free_port() -> int:
    """Returns a port of loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
