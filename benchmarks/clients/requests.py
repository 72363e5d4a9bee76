"""Makes the requests that several benchmarks send, and clients that send them."""

import itertools
import json
from collections.abc import Callable

from benchmarks.clients.http import HttpClient, MakeClient, http_post
from benchmarks.data import MODEL
from benchmarks.servers import our_body


def completion_requests(port: int, num_chars: int, *, stream: bool) -> Callable[[], bytes]:
    """Returns what makes requests for completions of a length, each with another seed."""
    seeds = itertools.count()
    return lambda: http_post(port, "/v1/completions", our_body(num_chars, next(seeds), stream=stream))


def completions(port: int, num_chars: int, *, stream: bool) -> MakeClient:
    """Returns what makes clients that ask for one completion after the other."""
    requests = completion_requests(port, num_chars, stream=stream)
    return lambda stats: HttpClient(requests, stats)


def next_characters(port: int) -> MakeClient:
    """Returns what makes clients that ask for the next character after ten."""
    request = http_post(port, "/v1/next", json.dumps({"model": MODEL, "input": "to be or n"}).encode())
    return lambda stats: HttpClient(lambda: request, stats)
