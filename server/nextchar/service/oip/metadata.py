"""Describes the server and its models for the Open Inference Protocol, as plain values for both APIs."""

from collections.abc import Iterable
from typing import Any

from nextchar import __version__
from nextchar.errors import InvalidRequest, ModelNotFound, Unavailable
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels
from nextchar.schemas.limits import SessionLimits
from nextchar.service.oip.inference import MAX_BATCH
from nextchar.service.oip.parameters import MAX_LEVEL
from nextchar.service.oip.schemas import model_id
from nextchar.service.oip.tensors import INPUTS, OUTPUTS
from nextchar.telemetry.engine_stats import BatchCount, EngineStats
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.triton_statistics import Duration, ModelStatistics

PLATFORM = "onnx_onnxv1"
EXTENSIONS = (
    *("binary_tensor_data", "generate", "model_configuration", "model_repository", "parameters"),
    *("schedule_policy", "sequence", "sequence(string_id)", "statistics"),
)

_TYPES = {"BYTES": "TYPE_STRING", "INT64": "TYPE_INT64", "FP64": "TYPE_FP64"}
_MICROSECONDS = 1e6
_NANOSECONDS = 1e9


class ModelMetadata:
    """Returns the metadata, configuration and statistics of the server and its models.

    Each method that takes a name and a version, which may be empty, raises as `ServedModels.get`.
    """

    def __init__(
        self,
        served_models: ServedModels,
        metrics: Metrics,
        session_limits: SessionLimits,
        *,
        latest_only: bool = False,
    ) -> None:
        self._served_models, self._metrics, self._session_limits = served_models, metrics, session_limits
        self._latest_only = latest_only

    def get(self, name: str, version: str) -> Model:
        return self._served_models.get(model_id(name, version))

    def ready(self, name: str, version: str) -> bool:
        """Returns whether the model is served and answers."""
        try:
            return self.get(name, version).ready
        except (ModelNotFound, Unavailable):
            return False

    def server(self) -> dict[str, Any]:
        return {"name": "nextchar", "version": __version__, "extensions": list(EXTENSIONS)}

    def metadata(self, name: str, version: str) -> dict[str, Any]:
        """Returns the tensors of the model; -1 stands for any size."""
        model = self.get(name, version)
        return {
            "name": model.name,
            "versions": [other.version for other in self._served_models.serving if other.name == model.name],
            "platform": PLATFORM,
            "inputs": [_tensor("text", INPUTS, [-1, 1])],
            "outputs": [_tensor(output, OUTPUTS, [-1, *_dims(output, model)]) for output in OUTPUTS],
        }

    def config(self, name: str, version: str, scheduling: str) -> dict[str, Any]:
        """Returns the configuration of the model, with `scheduling` `sequence` or `dynamic`.

        A model takes requests of both kinds at any time, but a configuration can name only one.

        Raises:
            InvalidRequest: `scheduling` is neither.
        """
        model, scheduling = self.get(name, version), scheduling.strip()
        card = model.graph.card
        facts = {"cell": card.cell, "precision": card.precision, "digest": model.graph.digest}
        if folding := model.graph.vocabulary.told_folding:
            facts["case_folding"] = folding
        # Not listed as an input, because perf_analyzer would fill both.
        facts["alternative_input"] = f"token_ids {INPUTS['token_ids']} [n, t]"
        return {
            "name": model.name,
            "platform": PLATFORM,
            "backend": "nextchar",
            "version_policy": {"latest": {"num_versions": 1}} if self._latest_only else {"all": {}},
            "max_batch_size": MAX_BATCH,
            "input": [{"name": "text", "data_type": "TYPE_STRING", "dims": [1]}],
            "output": [_output(output, model) for output in OUTPUTS],
            **self._scheduling(scheduling),
            "instance_group": [{"name": model.name, "kind": "KIND_CPU", "count": len(model.engine)}],
            "default_model_filename": f"step-{card.precision}.onnx",
            "parameters": {key: {"string_value": value} for key, value in facts.items()},
            "model_transaction_policy": {"decoupled": False},
        }

    def statistics(self, name: str, version: str) -> list[dict[str, Any]]:
        """Returns the statistics of one version, of all versions of a model, or of all models."""
        if name:
            self.get(name, version)
        chosen = [m for m in self._served_models if name in ("", m.name) and version in ("", m.version)]
        return [_statistics(m, self._metrics.statistics.of(m.name, m.version)) for m in chosen]

    def _scheduling(self, scheduling: str) -> dict[str, Any]:
        if scheduling == "dynamic":
            levels = {"priority_levels": MAX_LEVEL, "default_priority_level": 1}
            return {"dynamic_batching": {"preserve_ordering": False, **levels}}
        if scheduling == "sequence":
            idle = int(self._session_limits.ttl_seconds * _MICROSECONDS)
            oldest = {"max_candidate_sequences": self._session_limits.max_sessions}
            return {"sequence_batching": {"max_sequence_idle_microseconds": idle, "oldest": oldest}}
        raise InvalidRequest(
            f"X-Model-Scheduling must be sequence or dynamic (it is {scheduling[:40]!r})",
            param="X-Model-Scheduling",
        )


def _tensor(name: str, datatypes: dict[str, str], shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatypes[name], "shape": shape}


def _dims(output: str, model: Model) -> list[int]:
    """Returns the sizes of an output after the batch size."""
    return [model.graph.vocabulary.num_outputs] if output == "log_probs" else []


def _output(name: str, model: Model) -> dict[str, Any]:
    dims = _dims(name, model)
    # A configuration can state "no more sizes" only as a reshape to none.
    shape = {"dims": dims} if dims else {"dims": [1], "reshape": {"shape": []}}
    return {"name": name, "data_type": _TYPES[OUTPUTS[name]], **shape}


def _statistics(model: Model, found: ModelStatistics) -> dict[str, Any]:
    batches = _batches(model.stats)
    durations = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    nothing = _duration(Duration())
    stats = {name: _duration(getattr(found, name)) for name in durations}
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": found.last_ms,
        "inference_count": found.num_inferences,
        "execution_count": sum(count.num_calls for count in batches.values()),
        "inference_stats": {**stats, "cache_hit": nothing, "cache_miss": nothing},
        "batch_stats": [_batch(size, count) for size, count in sorted(batches.items())],
    }


def _batches(engines: Iterable[EngineStats]) -> dict[int, BatchCount]:
    """Sums up the calls of the graph of all engines by number of rows."""
    total: dict[int, BatchCount] = {}
    for engine in engines:
        for size, count in list(engine.by_batch.items()):  # the engine's thread adds to it meanwhile
            total.setdefault(size, BatchCount()).add(
                count.num_calls, count.step_seconds, count.sample_seconds
            )
    return total


def _batch(size: int, count: BatchCount) -> dict[str, Any]:
    infer = Duration(count.num_calls, count.step_seconds)
    output = Duration(count.num_calls, count.sample_seconds)
    named = {"compute_input": Duration(), "compute_infer": infer, "compute_output": output}
    return {"batch_size": size, **{name: _duration(value) for name, value in named.items()}}


def _duration(value: Duration) -> dict[str, int]:
    return {"count": value.count, "ns": int(value.seconds * _NANOSECONDS)}
