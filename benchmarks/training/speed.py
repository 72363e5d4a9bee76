"""Measures training speed: characters per second of our step beside a plain loop over `nn.LSTM` in float32.

The same network, batch and window; both with dropout, AdamW and clipping by norm, on all cores. The plain
loop is that of a tutorial: stock layers with their own dropout, float32. Each contender has a process of its
own, set up as its users would: ours as `nextchar train` does, the plain one not at all, and then like ours.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection

import torch
from torch import nn

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.streams import TextStreams
from nextchar_training.config import TrainingConfig
from nextchar_training.network.network import ModelConfig
from nextchar_training.run.allocator import keep_freed_memory
from nextchar_training.run.schedule import run_length
from nextchar_training.run.step import Trainer

_STEPS = 4
_CHARACTERS = "\n" + "".join(chr(32 + k) for k in range(64))
_EMBEDDING_SIZE, _HIDDEN_SIZE, _NUM_LAYERS = 128, 512, 2


def measure(*, rounds: int) -> dict[str, float]:
    """Returns characters per second, the median of rounds in which the contenders take turns."""
    with ExitStack() as stack:
        contenders = {name: stack.enter_context(_started(name)) for name in _CONTENDERS}
        seen: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(rounds + 1):
            for name, contender in contenders.items():
                contender.send(_STEPS)
                rate = contender.recv()
                if turn:  # the first warms up
                    seen[name].append(rate)
    return {name: statistics.median(rates) for name, rates in seen.items()}


def _started(name: str) -> Connection:
    """Starts a process that times as many steps as it is sent; returns the pipe, whose end ends it."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(name, there), daemon=True)
    process.start()
    there.close()
    return here


def _serve(name: str, orders: Connection) -> None:
    step = _CONTENDERS[name]()
    while True:
        try:
            num_steps = orders.recv()
        except EOFError:
            return
        started = time.perf_counter()
        chars = sum(step() for _ in range(num_steps))
        orders.send(chars / (time.perf_counter() - started))


def _config(precision: str) -> TrainingConfig:
    return TrainingConfig(corpus="", name="speed", steps=10**6, precision=precision, dropout=0.4)  # type: ignore[arg-type]


def _streams() -> TextStreams:
    vocabulary, config = Vocabulary(tuple(_CHARACTERS)), _config("float32")
    ids = torch.randint(len(_CHARACTERS), (10**6,), generator=torch.Generator().manual_seed(0)).numpy()
    return TextStreams(
        ids,
        vocabulary,
        newline_id=0,
        document_starts=(0,),
        batch_size=config.batch_size,
        window=config.window,
        seed=0,
    )


def make_ours(precision: str) -> Callable[[], int]:
    """Returns a function that makes one step as `nextchar train` does, and returns its characters."""
    keep_freed_memory()
    vocabulary, config = Vocabulary(tuple(_CHARACTERS)), _config(precision)
    shape = ModelConfig(
        "lstm", vocabulary.num_inputs, vocabulary.num_outputs, _EMBEDDING_SIZE, _HIDDEN_SIZE, _NUM_LAYERS
    )
    trainer = Trainer(config, shape, _streams(), run_length(config, 1.0))

    def step() -> int:
        trainer.step()
        return config.batch_size * config.window

    return step


class _PlainModel(nn.Module):
    def __init__(self, num_symbols: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_symbols, _EMBEDDING_SIZE)
        self.lstm = nn.LSTM(_EMBEDDING_SIZE, _HIDDEN_SIZE, _NUM_LAYERS, dropout=0.4)
        self.dropout = nn.Dropout(0.4)
        self.output = nn.Linear(_HIDDEN_SIZE, num_symbols)


def _plain(*, keep: bool = False) -> Callable[[], int]:
    if keep:
        keep_freed_memory()
    model, streams = _PlainModel(len(_CHARACTERS) + 2), _streams()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    carried: list[tuple[torch.Tensor, torch.Tensor] | None] = [None]

    def step() -> int:
        batch = streams.next_batch()
        hidden, state = model.lstm(model.embedding(batch.inputs), carried[0])
        carried[0] = (state[0].detach(), state[1].detach())
        logits = model.output(model.dropout(hidden))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return batch.num_chars

    return step


_CONTENDERS: dict[str, Callable[[], Callable[[], int]]] = {
    "nextchar, float32": partial(make_ours, "float32"),
    "nextchar, bf16": partial(make_ours, "bf16"),
    "plain nn.LSTM, float32": _plain,
    "the same, keeping freed memory": partial(_plain, keep=True),
}
