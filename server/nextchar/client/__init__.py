"""The Python client: `Client` for programs that block, `AsyncClient` for those that run an event loop."""

from nextchar.client.asynchronous.client import AsyncClient
from nextchar.client.blocking.client import Client

__all__ = ["AsyncClient", "Client"]
