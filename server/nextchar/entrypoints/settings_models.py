"""Defines the settings of where the server listens, and of its models and their engines."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from nextchar.engine.adaptive.tables import MAX_TABLE_BYTES
from nextchar.entrypoints.settings_sources import PREFIX
from nextchar.model.cores import num_cores
from nextchar.model.kernels.opening import KernelChoice
from nextchar.repository.folder import PrecisionChoice
from nextchar.rest.http.addresses import bare

Port = Annotated[int, Field(ge=0, le=65535)]


class ModelSettings(BaseSettings):
    """The first part of the settings."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", allow_inf_nan=False
    )

    config: Path | None = Field(None, description="The TOML file that sets settings by their names.")
    host: Annotated[str, AfterValidator(bare)] = Field(
        "127.0.0.1", description="The address that the server listens on; 0.0.0.0 or :: for all."
    )
    http_port: Port = Field(8000, description="The port of the REST API.")
    grpc_port: Port = Field(8001, description="The port of the gRPC API.")
    metrics_port: Port = Field(8002, description="The port of the Prometheus metrics.")
    models: Path = Field(Path("models"), description="The folder that holds the models as <name>/<version>.")
    judges: Path | None = Field(
        None,
        description="The folder that holds the judges as <name>/<version>; by default judges beside the "
        "models folder, if there is one.",
    )
    default_model: str | None = Field(
        None,
        description="The model of requests that name none. By default, of the models of running text (or of "
        "all if there is none) the one with the largest state, of equals the first by name.",
    )
    precision: PrecisionChoice = Field(
        "auto", description="The precision of the models that are loaded; auto prefers int8."
    )
    model_versions: Literal["all", "latest"] = Field(
        "all",
        description="The versions that take new requests: all, or only the latest version of each model.",
    )
    model_poll_seconds: float = Field(
        0.0,
        ge=0,
        description="Time between two checks of the models folder for new versions; 0 turns them off.",
    )
    strict_readiness: bool = Field(
        False,
        description="Be ready only while every version in the models folder can be served, instead of while "
        "one is.",
    )
    unload_after_seconds: float = Field(
        3600.0, ge=0, description="The longest time an unloaded version stays in memory for its sessions."
    )
    engine_threads: int = Field(
        default_factory=num_cores,
        ge=1,
        le=256,
        description="Number of engine threads of each model; the last of them gives way to live requests.",
        json_schema_extra={"shown_default": "one per core"},
    )
    kernels: KernelChoice = Field(
        "auto",
        description="Whether int8 models run with the compiled cells of nextchar-kernels: auto, where the "
        "package is installed and computes the same bits, or off.",
    )
    max_lanes: int = Field(
        128,
        ge=1,
        le=4096,
        description="Number of rows of an engine thread; each runs one completion at a time.",
    )
    reserved_lanes: int = Field(
        16,
        ge=0,
        le=4096,
        description="Number of additional rows of an engine thread for interactive requests.",
    )
    max_bulk_lanes: int = Field(
        64, ge=1, le=4096, description="Number of rows of an engine thread that bulk scoring may use."
    )
    max_waiting: int = Field(
        8192, ge=1, description="Largest number of strings in each queue of an engine thread."
    )
    max_adaptive_table_bytes: int = Field(
        256 << 20,
        ge=MAX_TABLE_BYTES,
        description="Largest size of the tables of adaptive lanes in an engine thread; a lane whose tables "
        "find no room waits in its queue.",
    )
