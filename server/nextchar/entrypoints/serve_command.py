"""Implements `nextchar serve`: reads the settings, then runs the server."""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nextchar.entrypoints.machine import give_freed_memory_back
from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_reference import setting_texts
from nextchar.schemas.base import validated
from nextchar.telemetry.logs import configure_logs

if TYPE_CHECKING:
    from nextchar.entrypoints.app import App
    from nextchar.repository.served_models import Model

F = TypeVar("F", bound=Callable[..., Any])


def _with_settings(command: F) -> F:
    """Adds a flag for each setting; without it the environment, the file or the default decides."""
    for text in reversed(list(setting_texts())):
        command = click.option(text.flag, text.name, default=None, metavar="VALUE", help=text.shown)(command)
    return command


# The longest time the event loop keeps the interpreter lock while an engine thread waits for it. Python's
# default of 5 ms is as long as several steps.
_SWITCH_SECONDS = 0.00002


@click.command
@_with_settings
def serve(**given: str | None) -> None:
    """Serve the models of a folder over REST and gRPC."""
    give_freed_memory_back()
    gc.disable()  # until it is up: as in main.py
    try:
        _serve(given)
    finally:
        gc.enable()


def _serve(given: dict[str, str | None]) -> None:
    # Imported here: the other commands need neither FastAPI nor gRPC, and start three times as fast without.
    frameworks = threading.Thread(target=_import_frameworks, name="imports")
    frameworks.start()
    from nextchar.entrypoints.app import serve as run_server

    values = {name: value for name, value in given.items() if value is not None}
    settings = validated(lambda: Settings(**values))  # type: ignore[arg-type]
    configure_logs(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run_server(settings, lambda app: _on_ready(settings, app)))


def _import_frameworks() -> None:
    """Imports the frameworks of both APIs, half of the start time, while the models load."""
    for name in ("fastapi", "grpc.aio", "uvicorn"):
        # What fails here fails again where it is used, in the main thread, which says so.
        with suppress(ImportError, MemoryError):
            import_module(name)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _on_ready(settings: Settings, app: "App") -> str:
    """Prepares the process for requests; returns what is printed."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()  # what is loaded by now stays: collecting it would stop all requests for 100 ms
    gc.enable()
    return _greeting(settings, app)


def _greeting(settings: Settings, app: "App") -> str:
    """Returns the addresses of the server and three commands to try."""
    served = list(app.service.served_models)
    models = ", ".join(dict.fromkeys(model.name for model in served)) or "no model yet"
    http = f"{'http' if settings.tls_certificate_file is None else 'https'}://{settings.host}:{app.http_port}"
    return f"""nextchar serves {models}
  REST     {http}  (documentation: {http}/docs)
  gRPC     {settings.host}:{app.grpc_port}
  metrics  http://{settings.host}:{app.metrics_port}/metrics

Try:
{_examples(http, served)}

"""


def _examples(http: str, served: "list[Model]") -> str:
    if not served:
        return f"  curl -s {http}/v2/repository/index --json '{{}}'"
    # The examples are running text; a model of lines would end at once.
    name = next((model.name for model in served if model.graph.vocabulary.unit == "text"), served[0].name)
    return f"""  curl -s {http}/v1/score --json '{{"model": "{name}", "input": ["hello", "htktt"]}}'
  curl -s {http}/v1/next --json '{{"model": "{name}", "input": "To be, or not to b", "top": 3}}'
  curl -s {http}/v1/completions --json '{{"model": "{name}", "prompt": "ROMEO:", "max_tokens": 200}}'"""
