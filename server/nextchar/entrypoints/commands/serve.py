"""Implements `nextchar serve`: reads the settings, then runs the server."""

import asyncio
import gc
import json
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nextchar.client.endpoint import API_KEY
from nextchar.entrypoints.machine import give_freed_memory_back
from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_reference import SUBJECTS, setting_texts
from nextchar.rest.http.addresses import authority
from nextchar.schemas.base import validated
from nextchar.telemetry.logs import configure_logs

if TYPE_CHECKING:
    from nextchar.entrypoints.app import App
    from nextchar.repository.model import Model

F = TypeVar("F", bound=Callable[..., Any])
_NO = "--no-"
_FLAG_COLUMN = 6  # so narrow that every text begins on a line of its own, where the longest variable fits


class _SettingsCommand(click.Command):
    """A command with a flag for each setting, listed by subject.

    A switch needs no value: `--x` is `--x=true`, and `--no-x` is `--x=false`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        off = {_NO + text.flag[2:]: f"{text.flag}=false" for text in setting_texts() if text.is_switch}
        return super().parse_args(ctx, [off.get(given, given) for given in args])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        texts = list(setting_texts())
        for subject in SUBJECTS:
            rows = [(text.flags, text.shown) for text in texts if text.subject == subject]
            if rows:
                with formatter.section(subject):
                    formatter.write_dl(rows, col_max=_FLAG_COLUMN)
        with formatter.section("Options"):
            shown = self.get_help_option(ctx)
            record = None if shown is None else shown.get_help_record(ctx)
            formatter.write_dl([] if record is None else [record])


def _with_settings(command: F) -> F:
    """Adds a flag for each setting; without it the environment, the file or the default decides."""
    for text in reversed(list(setting_texts())):
        switch: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if text.is_switch else {}
        command = click.option(text.flag, text.name, default=None, help=text.shown, **switch)(command)
    return command


# The longest time the event loop keeps the interpreter lock while an engine thread waits for it. Python's
# default of 5 ms is as long as several steps.
_SWITCH_SECONDS = 0.00002


@click.command(cls=_SettingsCommand)
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
    """Returns the addresses of the server, its default model and three commands to try of that."""
    served_models = app.service.served_models
    models = ", ".join(dict.fromkeys(model.name for model in served_models)) or "no model yet"
    default = served_models.default
    scheme = "http" if settings.tls_certificate_file is None else "https"
    http = f"{scheme}://{authority(settings.host, app.http_port)}"
    return f"""nextchar serves {models}
  REST     {http}  (documentation: {http}/docs)
  gRPC     {authority(settings.host, app.grpc_port)}
  metrics  http://{authority(settings.host, app.metrics_port)}/metrics
  default  {_shown_default(default)}

Try:
{_examples(http, default, needs_key=settings.api_keys_file is not None)}

"""


def _shown_default(model: "Model | None") -> str:
    if model is None:
        return "none yet"
    return f"{model.name}, the model of requests that name none (--default-model names another)"


def _examples(http: str, model: "Model | None", *, needs_key: bool) -> str:
    key = f' -H "Authorization: Bearer ${API_KEY}"' if needs_key else ""
    if model is None:
        return f"  curl -s {http}/v2/repository/index{key} --json '{{}}'"
    known = _known_text(model)
    calls: dict[str, dict[str, object]] = {
        "score": {"input": [known, known[::-1]]},
        "next": {"input": known[:-1], "top": 3},
        "completions": {"prompt": known, "max_tokens": 200},
    }
    return "\n".join(
        f"  curl -s {http}/v1/{path}{key} --json '{json.dumps({'model': model.name, **fields})}'"
        for path, fields in calls.items()
    )


def _known_text(model: "Model") -> str:
    """Returns a text of the kind that a model has learnt, which needs no quoting in a shell or in JSON.

    It is a part of the last golden string of the card, which an export takes from held-out text.
    """
    golden = model.graph.card.golden[-1].text if model.graph.card.golden else ""
    return max(re.findall(r"[\w ,.:;?()-]+", golden), key=len, default="").strip() or "hello"
