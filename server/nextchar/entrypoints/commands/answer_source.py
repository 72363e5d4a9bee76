"""Chooses who answers a command: a model in this process, or a server by its address."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import click

from nextchar.client import Client
from nextchar.client.endpoint import API_KEY

url_option = click.option(
    "--url",
    help=f"The server to use, http://host:port or grpc://host:port. {API_KEY} holds the API key.",
)


@contextmanager
def answering(model: str, url: str | None, precision: Any) -> Generator[tuple[Client, str | None]]:
    """Opens the client of a server, with the name of a model of it, or a model that needs no name.

    Raises:
        NextcharError: the model cannot be opened, or the server cannot be reached.
    """
    if url is not None:
        with Client(url, api_key=os.environ.get(API_KEY) or None) as client:
            yield client, model
        return
    from nextchar.entrypoints.library.model import Model

    with Model(model, precision=precision) as loaded:
        yield loaded, None
