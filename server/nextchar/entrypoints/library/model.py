"""Defines a model that is loaded into this process: the client's methods, without a server."""

import base64
import math
import time
import weakref
from collections.abc import Generator, Iterable
from itertools import count, islice
from os import PathLike
from pathlib import Path
from typing import Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from nextchar.client.arguments import ScoreArguments
from nextchar.client.blocking.client import Client
from nextchar.client.parts import SentStrings
from nextchar.client.retries import Retries
from nextchar.entrypoints.library.runtime import Runtime
from nextchar.entrypoints.library.transport import LocalTransport
from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar.model.cores import num_cores
from nextchar.model.gate_graph import GATE_TENSORS
from nextchar.model.surprise.guess_numbers import NUM_SAMPLES, GuessNumbers
from nextchar.schemas.completion import MAX_CHOICES
from nextchar.schemas.inspect import GateTrace, StateTrace

BATCH_STRINGS = 4096  # that are scored together: they share prefixes, and memory stays bounded
_MAX_SAMPLE_CHARS = 256

Precision = Literal["auto", "int8", "float32"]


class Model(Client):
    """A model in this process, with the methods and answers of `nextchar.client.Client`.

        with nextchar.load("models/shakespeare") as model:
            model.score(["hello", "htktt"])
            model.logprobs(strings)              # float64 [n]
            with model.session(prime="ROMEO:") as session:
                session.sample(max_tokens=40)

    Threads may share one; it runs in a thread of its own, so a notebook's loop does not matter. It is closed
    by `with`, by `close`, or when nothing refers to it any more. A server's limits of size and time do not
    apply; those of the fields do.
    """

    def __init__(
        self, path: str | PathLike[str], *, precision: Precision = "auto", num_threads: int | None = None
    ) -> None:
        """Loads a step graph, the folder of a version or the folder of a model.

        Args:
            path: Of the file or folder.
            precision: Of the model's file; auto prefers int8.
            num_threads: Engines that run at a time; by default one per core that this process may use.

        Raises:
            ModelFileError: there is no such model, or it is not valid.
        """
        self._runtime = Runtime(Path(path), precision, num_threads or num_cores())
        self._retries, self._sleep = Retries(max_attempts=1), time.sleep
        self._grpc, self._transport = None, LocalTransport(self._runtime)  # type: ignore[assignment]
        weakref.finalize(self, self._runtime.stop).atexit = False  # the runtimes are closed then

    def __repr__(self) -> str:
        return f"<nextchar model {self.name!r}, version {self._runtime.model.version}>"

    @property
    def name(self) -> str:
        """The name of the model's folder."""
        return self._runtime.model.name

    @property
    def card(self) -> Card:
        """What the model's file says of itself: characters, quality, origin."""
        return self._runtime.model.graph.card

    def close(self) -> None:
        """Frees the model; calls after that raise `Unavailable`."""
        self._runtime.close()

    def logprobs(self, strings: Iterable[str], **arguments: Unpack[ScoreArguments]) -> NDArray[np.float64]:
        """Returns the log-probability of each string, float64 [n], in nats; of any number of strings.

        Raises:
            InvalidRequest: as `score`; the error's `param` names the string by its number.
        """
        answers = self.score_batches(strings, **arguments)
        return np.fromiter((item.logprob for answer in answers for item in answer.data), dtype=np.float64)

    def guess_numbers(self, *, num_samples: int = NUM_SAMPLES, seed: int = 1) -> GuessNumbers:
        """Returns how many guesses a string withstands, by its log-probability with its end, from samples.

            guesses = model.guess_numbers()
            10 ** guesses.log10_of(model.logprobs(passwords, include_end=True))

        Args:
            num_samples: Strings that are drawn from the model.
            seed: Of the draws.

        Raises:
            InvalidRequest: the model has no end symbol, so that its strings have no probability.
        """
        if self._runtime.model.graph.vocabulary.end_id is None:
            raise InvalidRequest(
                f"guess numbers need a model of strings, and {self.name!r} was trained on running text: "
                "train one with --unit line"
            )
        samples = islice(self._samples(seed), num_samples)
        return GuessNumbers(self.logprobs(samples, include_end=True))

    def _samples(self, seed: int) -> Generator[str]:
        """Draws strings from the model, each until its end or `_MAX_SAMPLE_CHARS`, in the order of seeds."""
        for k in count(seed):
            answer = self.complete("", n=MAX_CHOICES, max_tokens=_MAX_SAMPLE_CHARS, temperature=1.0, seed=k)
            yield from (choice.text for choice in answer.choices)

    def _sent(self) -> SentStrings:
        return SentStrings(BATCH_STRINGS, math.inf)

    def states(self, text: str, *, model: str | None = None) -> dict[str, NDArray[np.float32]]:
        """Returns the states after each character of a text: float32 [characters, units] by `hidden_0`, ….

        `hidden_N` is of layer N; `cell_N` too, where the cell has one.
        """
        answer = self.inspect(text, model=model, encoding_format="base64")
        return {f"{one.state}_{one.layer}": _array(one) for one in answer.data}

    def gates(self, text: str, *, model: str | None = None) -> dict[str, NDArray[np.float32]]:
        """Returns the gates while each character is read: float32 [characters, units] by `forget_0`, ….

        `forget_N` is of layer N, 0 closed and 1 open. A cell without gates has none.
        """
        names = list(GATE_TENSORS[self.card.cell])
        if not names:
            return {}
        answer = self.inspect(text, model=model, gates=names, encoding_format="base64")
        return {f"{one.gate}_{one.layer}": _array(one) for one in answer.gates or ()}


def _array(trace: StateTrace | GateTrace) -> NDArray[np.float32]:
    assert isinstance(trace.values, str)
    values = np.frombuffer(base64.b64decode(trace.values), dtype="<f4")
    return values.astype(np.float32).reshape(-1, trace.num_units)
