"""Measures what `SingleWrite` (rest/http_protocol.py) saves: calls with and without it, in alternating turns.

    python -m benchmarks.single_write models shakespeare

One client keeps one connection alive. Prints microseconds per call: the median of each round, then of all
rounds; the ratio is of two rounds side by side.
"""

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from benchmarks.clients.http import HttpClient, Tally, http_post, run_load

_WITHOUT = "import nextchar.rest.http_protocol as p; p.SingleWrite = lambda transport, loop: transport; "
_MAIN = "from nextchar.entrypoints.main import main; main()"
_CALLS = {
    "next": ("/v1/next", {"input": "To be, or", "top": 1}),
    "tokenize": ("/tokenize", {"prompt": "To be, or"}),
}


@contextmanager
def _server(models: str, first: str) -> Iterator[int]:
    """Starts a server and yields its port; its process runs `first` before it."""
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0", "--log-level", "error"]
    command = [sys.executable, "-c", first + _MAIN, "serve", "--models", models, *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        try:
            while not (found := re.search(r"REST +http://\S+?:(\d+)", said)) or "gRPC" not in said:
                line = process.stdout.readline()
                assert line, "the server did not start"
                said += line
            yield int(found[1])
        finally:
            process.terminate()


def _round(port: int, path: str, body: dict[str, object], seconds: float) -> float:
    request = http_post(port, path, json.dumps(body).encode())

    def client(tally: Tally) -> HttpClient:
        return HttpClient(lambda: request, tally)

    _, tally = run_load(client, port=port, num_clients=1, warm=0.2, seconds=seconds)
    return 1e6 * statistics.median(tally.seconds)


@click.command
@click.argument("models")
@click.argument("model")
@click.option("--rounds", default=10, show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="Of each round.")
def main(models: str, model: str, rounds: int, seconds: float) -> None:
    """Prints a line for each kind of call."""
    with _server(models, "") as port, _server(models, _WITHOUT) as port_without:
        for name, (path, fields) in _CALLS.items():
            body, pairs = {"model": model, **fields}, []
            for number in range(rounds):
                order = (port, port_without) if number % 2 else (port_without, port)
                found = {each: _round(each, path, body, seconds) for each in order}
                pairs.append((found[port], found[port_without]))
            with_it, without = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratios = sorted(one / other for one, other in pairs)
            click.echo(
                f"{name:9} with {with_it:7.1f} us, without {without:7.1f} us; "
                f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
            )


if __name__ == "__main__":
    main()
