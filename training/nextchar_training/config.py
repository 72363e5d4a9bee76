"""Defines everything that a training run is determined by."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

from nextchar.errors import InvalidRequest
from nextchar.model.card import Cell
from nextchar_training.option import Bounds, Option
from nextchar_training.text.config import TextConfig

TrainingPrecision = Literal["bf16", "float32"]
OptimizerKind = Literal["adamw", "sgd"]
Schedule = Literal["cosine", "linear", "constant"]

_POSITIVE = Bounds(minimum=0, min_open=True)
_FROM_0, _FROM_1 = Bounds(minimum=0), Bounds(minimum=1)
_BELOW_1 = Bounds(minimum=0, maximum=1, max_open=True)
_DROPOUT = Bounds(minimum=0, maximum=0.9)
_BY_SIZE = "by the size of the text"


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The size of the network."""

    group: ClassVar[str] = "Network"

    cell: Annotated[
        Cell, Option("The recurrent cell; ngram counts an n-gram model, the baseline, in its place.")
    ] = "lstm"
    hidden_size: Annotated[
        int,
        Option("The number of units per recurrent layer.", _FROM_1, automatic=True, shown_default=_BY_SIZE),
    ] = 512
    num_layers: Annotated[
        int, Option("The number of recurrent layers.", _FROM_1, automatic=True, shown_default=_BY_SIZE)
    ] = 2
    embedding_size: Annotated[
        int,
        Option(
            "The number of values per character that the network learns; 0 is one-hot.",
            _FROM_0,
            automatic=True,
            shown_default=_BY_SIZE,
        ),
    ] = 128


@dataclass(frozen=True, kw_only=True)
class RegularisationConfig:
    """What keeps the network from learning the text by heart. A rate of None follows `dropout`."""

    group: ClassVar[str] = "Regularisation"

    dropout: Annotated[
        float,
        Option(
            "The rate of dropout; the four rates below follow it unless they are given.",
            _DROPOUT,
            automatic=True,
            shown_default=_BY_SIZE,
        ),
    ] = 0.2
    input_dropout: Annotated[
        float | None,
        Option(
            "The rate of dropout of embeddings, one mask per window.",
            _DROPOUT,
            shown_default="a quarter of --dropout",
        ),
    ] = None
    layer_dropout: Annotated[
        float | None,
        Option(
            "The rate of dropout between layers, one mask per window.", _DROPOUT, shown_default="--dropout"
        ),
    ] = None
    output_dropout: Annotated[
        float | None,
        Option(
            "The rate of dropout after the last layer, one mask per window.",
            _DROPOUT,
            shown_default="--dropout",
        ),
    ] = None
    weight_dropout: Annotated[
        float | None,
        Option(
            "The rate of dropout of recurrent weights (weight-drop).",
            _DROPOUT,
            shown_default="half of --dropout",
        ),
    ] = None
    input_noise: Annotated[
        float, Option("The share of characters that are read as another character.", _DROPOUT)
    ] = 0.0
    average_decay: Annotated[
        float, Option("The decay of the weights' moving average; 0 takes no average.", _BELOW_1)
    ] = 0.999
    softmax_temperature: Annotated[
        float | None,
        Option(
            "The softmax temperature that is built into the output layer.",
            _POSITIVE,
            shown_default="fitted on the development part",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class LengthConfig:
    """When a run ends: after its `epochs` or `steps`, after `max_minutes`, or after whichever comes first."""

    group: ClassVar[str] = "Length"

    epochs: Annotated[
        float | None,
        Option(
            "The run ends after this many passes over the training part.",
            _POSITIVE,
            shown_default="by the size of the text, if no length is given",
        ),
    ] = None
    steps: Annotated[int | None, Option("The run ends after this many updates.", _FROM_1)] = None
    max_minutes: Annotated[
        float | None,
        Option("The run ends after this many minutes of training, at the latest.", _POSITIVE),
    ] = None
    patience: Annotated[
        int,
        Option("The run ends after this many evaluations without progress; 0 is no such limit.", _FROM_0),
    ] = 0
    evaluations: Annotated[
        int,
        Option("The number of evaluations on the development part, spread evenly over the run.", _FROM_1),
    ] = 20


@dataclass(frozen=True, kw_only=True)
class OptimisationConfig:
    """How the weights are updated."""

    group: ClassVar[str] = "Optimisation"

    batch_size: Annotated[
        int,
        Option(
            "The number of streams that are read side by side.",
            _FROM_1,
            automatic=True,
            shown_default=_BY_SIZE,
        ),
    ] = 32
    window: Annotated[
        int,
        Option(
            "The number of characters that a gradient goes back; full goes back to the stream's start.",
            Bounds(minimum=2),
            metavar="N|full",
            automatic=True,
            shown_default=_BY_SIZE,
        ),
    ] = 128
    optimizer: Annotated[OptimizerKind, Option("The optimizer.")] = "adamw"
    learning_rate: Annotated[
        float, Option("The learning rate at its peak.", _POSITIVE, automatic=True, shown_default="the cell's")
    ] = 3e-3
    momentum: Annotated[float, Option("The momentum of sgd, in Nesterov's form; 0 is none.", _BELOW_1)] = 0.9
    weight_decay: Annotated[
        float,
        Option(
            "The weight decay, decoupled with adamw.",
            _FROM_0,
            automatic=True,
            shown_default="0.01; 0 with sgd",
        ),
    ] = 0.01
    schedule: Annotated[Schedule, Option("How the learning rate falls after the warm-up.")] = "cosine"
    warmup: Annotated[
        float,
        Option(
            "The share of the run over which the learning rate rises to its peak.",
            Bounds(minimum=0, maximum=0.5),
        ),
    ] = 0.02
    clip_norm: Annotated[
        float, Option("The limit of the gradient's global norm; 0 is no limit.", _FROM_0)
    ] = 1.0
    clip_value: Annotated[
        float, Option("The limit of every element of the gradient; 0 is no limit.", _FROM_0)
    ] = 0.0


@dataclass(frozen=True, kw_only=True)
class MachineConfig:
    """What a run is computed on."""

    group: ClassVar[str] = "Machine"

    seed: Annotated[
        int, Option("The seed of the weights, of dropout and of the order of the text.", _FROM_0)
    ] = 0
    precision: Annotated[
        TrainingPrecision,
        Option(
            "The precision of the recurrent layers; auto is bf16 on a processor that multiplies it clearly "
            "faster, else float32.",
            automatic=True,
        ),
    ] = "float32"
    device: Annotated[
        str,
        Option(
            "The device to train on; auto is cuda where there is one, and on --resume the run's own.",
            choices=("cpu", "cuda"),
            automatic=True,
        ),
    ] = "cpu"
    num_threads: Annotated[
        int,
        Option("The number of processor threads.", _FROM_1, automatic=True, shown_default="all"),
    ] = 1


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(
    MachineConfig, OptimisationConfig, LengthConfig, RegularisationConfig, NetworkConfig, TextConfig
):
    """One training run."""

    group: ClassVar[str] = "Run"

    name: Annotated[
        str,
        Option(
            "The name of the run, of its folder in --output and of its model.",
            shown_default="the file's name",
        ),
    ]
    from_model: Annotated[
        str | None,
        Option(
            "The model to go on from, a folder of a version or its model.onnx: its weights, size and "
            "characters are taken, and new characters are added.",
            metavar="PATH",
            is_path=True,
            flag="--from",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Validates the precision.

        Raises:
            InvalidRequest: bfloat16 on a CUDA device: torch's autocast runs recurrent layers in float16
                there, in which small gradients are lost.
        """
        if self.precision == "bf16" and self.device != "cpu":
            raise InvalidRequest(
                f"precision must be float32 on {self.device} (precision is bf16): torch has no recurrent "
                "layers in bfloat16 on CUDA; float32 multiplies in TF32 there",
                param="precision",
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns the options as plain values, by name."""
        return asdict(self)
