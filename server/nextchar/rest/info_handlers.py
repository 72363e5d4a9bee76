"""Answers requests about the server and its models."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from nextchar import __version__
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels
from nextchar.rest.handler import JSON
from nextchar.rest.route import RestCall, one_model
from nextchar.schemas.tokens import TokenizerInfo
from nextchar.service.service import Service

# Of the card, what is long and of use to the server alone.
_MEASUREMENTS = {"golden", "quantiles", "quantile_levels", "calibration"}


class InfoHandlers:
    """Answers requests about one service. Handlers that are given the request are not observed."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def models(self, request: Request) -> Response:
        """Lists the served models, or the one that the path names."""
        served, named = self._service.served_models, request.path_params.get("model")
        listed = served.serving if named is None else [served.get(named)]
        return JSONResponse({"object": "list", "data": [describe(served, model) for model in listed]})

    async def model(self, request: Request) -> Response:
        """Returns one model with its card."""
        served = self._service.served_models
        found = served.get(one_model(request, request.path_params["model_id"]))
        card = found.graph.card.model_dump(mode="json", exclude=_MEASUREMENTS)
        return JSONResponse({**describe(served, found), "card": card})

    async def live(self, _request: Request) -> Response:
        """Returns 200 for as long as the process answers."""
        return JSONResponse({"status": "ok", "live": True})

    async def ready(self, _request: Request) -> Response:
        """Returns 200 if new work is accepted and every model and background task runs; else 503."""
        lifecycle = self._service.lifecycle
        ready = lifecycle.ready
        return JSONResponse({"status": lifecycle.status, "ready": ready}, 200 if ready else 503)

    async def metrics(self, _request: Request) -> Response:
        """Returns the Prometheus metrics, which also have a port of their own."""
        metrics = self._service.metrics
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    async def version(self, _request: Request) -> Response:
        """Returns the version of the server."""
        return JSONResponse({"version": __version__})

    async def limits(self, _request: Request) -> Response:
        """Returns the limits of one request, of one owner and of each model."""
        return Response(self._service.limits_report.limits().model_dump_json(), media_type=JSON)

    async def tokenizer_info(self, call: RestCall[None]) -> TokenizerInfo:
        """Returns a model's symbols, for tools that make prompts of ids; the query names the `model`."""
        named = call.request.query_params.get("model") or None
        return self._service.tokenizer.info(one_model(call.request, named), call.ctx)


def describe(served_models: ServedModels, model: Model) -> dict[str, Any]:
    """Describes a model as OpenAI lists it, with more fields for our clients."""
    card = model.graph.card
    latest = served_models.get(model.name) is model
    return {
        "id": model.name if latest else f"{model.name}:{model.version}",
        "object": "model",
        "created": model.created,
        "owned_by": "nextchar",
        "version": model.version,
        "cell": card.cell,
        "precision": card.precision,
        "unit": card.vocabulary.unit,
        "vocab_size": len(card.vocabulary.characters),
        "state_bytes": model.graph.state_bytes,
        "digest": model.graph.digest,
        "ready": model.ready,
        "default": served_models.default is model,
    }
