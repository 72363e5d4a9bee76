"""The Python client: `Client` for programs that block, `AsyncClient` for those that run an event loop."""

from nextchar.client.asynchronous import AsyncClient
from nextchar.client.blocking import Client

__all__ = ["AsyncClient", "Client"]
