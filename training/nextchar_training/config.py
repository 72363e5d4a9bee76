"""Everything a training run is determined by."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from nextchar.errors import InvalidRequest
from nextchar.model.card import Cell
from nextchar_training.text.config import TextConfig

TrainingPrecision = Literal["bf16", "float32"]
OptimizerKind = Literal["adamw", "sgd"]
Schedule = Literal["cosine", "linear", "constant"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(TextConfig):
    """One run. `epochs` or `steps`, `max_minutes`, or the first of both to be reached is its length.

    `warmup` is a share of the run. A clip, average or patience of 0 is none. A rate of dropout that is
    None is its share of `dropout`.
    """

    name: str
    cell: Cell = "lstm"
    embedding_size: int = 128
    hidden_size: int = 512
    num_layers: int = 2
    dropout: float = 0.2
    input_dropout: float | None = None
    layer_dropout: float | None = None
    output_dropout: float | None = None
    weight_dropout: float | None = None
    input_noise: float = 0.0
    batch_size: int = 32
    window: int = 128
    epochs: float | None = None
    steps: int | None = None
    max_minutes: float | None = None
    optimizer: OptimizerKind = "adamw"
    learning_rate: float = 3e-3
    momentum: float = 0.9  # of SGD
    weight_decay: float = 0.01
    schedule: Schedule = "cosine"
    warmup: float = 0.02
    clip_norm: float = 1.0
    clip_value: float = 0.0
    average_decay: float = 0.999
    seed: int = 0
    precision: TrainingPrecision = "float32"
    device: str = "cpu"
    num_threads: int = 1
    softmax_temperature: float | None = None  # None: fitted on the development part
    patience: int = 0  # evaluations without progress, after which the run ends
    evaluations: int = 20  # of the development part, spread evenly over the run

    def __post_init__(self) -> None:
        """
        Raises:
            InvalidRequest: bfloat16 is asked of a CUDA device: torch's autocast runs recurrent layers
                in float16 there, in which small gradients are lost.
        """
        if self.precision == "bf16" and self.device != "cpu":
            raise InvalidRequest(
                "--precision bf16: torch has no recurrent layers in it on CUDA; float32 has its products "
                "in TF32 there",
                param="precision",
            )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
