"""A model in this process answers as a server does, without one."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.live_server import LiveServer
from support.tiny_models import TinyModel, write_models
from support.waiting import until

import nextchar
from nextchar.client import Client
from nextchar.client.operations import Operation
from nextchar.entrypoints.library.model import BATCH_STRINGS, Model
from nextchar.errors import InvalidRequest, ModelFileError, NextcharError, Unavailable
from nextchar.rpc.methods import NEXTCHAR, SESSIONS
from nextchar.schemas.score import ScoreResponse

STRINGS = ["hello", "htktt", "", "a☃b", "x" * 300]


@pytest.fixture(scope="module")
def model(models: Path) -> Iterator[Model]:
    with nextchar.load(models / "tiny") as loaded:
        yield loaded


@pytest.fixture
def client(server: LiveServer) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


def _session(client: Client) -> list[Any]:
    """What a session says of a few calls, without what is of one session alone."""
    with client.session(model="tiny", prime="abc", seed=5) as session:
        said = [session.feed("def"), session.sample(max_tokens=7, temperature=0.8), session.next(top=3)]
        session.checkpoint("here")
        said += list(session.stream(max_tokens=5))
        said += [session.rewind(2), session.rollback("here"), session.score(["ab", "c"])]
        with session.fork() as fork:
            said += [fork.import_state(session.export_state()), fork.info(), fork.renew()]
        said.append(session.delete_checkpoint("here"))
    return said


CALLS: dict[str, Callable[[Client], Any]] = {
    "score": lambda c: c.score(STRINGS, model="tiny", context="ab", return_chars=True),
    "score_stream": lambda c: list(c.score_stream(STRINGS, model="tiny")),
    "next": lambda c: c.next("hel", model="tiny", top=5),
    "complete": lambda c: c.complete(["ab", "c"], model="tiny", max_tokens=20, seed=3, n=2, logprobs=2),
    "stream": lambda c: "".join(
        choice.text for part in c.stream("ab", model="tiny", max_tokens=20, seed=3) for choice in part.choices
    ),
    "compare": lambda c: c.compare(STRINGS, model="tiny"),
    "inspect": lambda c: c.inspect("hello", model="tiny"),
    "tokenize": lambda c: c.tokenize("hello", model="tiny"),
    "detokenize": lambda c: c.detokenize([1, 2, 3], model="tiny"),
    "tokenizer_info": lambda c: c.tokenizer_info(model="tiny"),
    "session": _session,
}
_OF_ONE_CALL = {
    "id",
    "created",
    "session_id",
    "expires_at",
    "ttl_seconds",
    "state_bytes",
    "system_fingerprint",
    "max_model_len",  # there is no limit
}


def _plain(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_plain(part) for part in answer]
    if hasattr(answer, "model_dump"):
        return _plain(answer.model_dump())
    if isinstance(answer, dict):
        return {name: _plain(value) for name, value in answer.items() if name not in _OF_ONE_CALL}
    return answer


@pytest.mark.parametrize("name", CALLS)
def test_a_loaded_model_answers_as_a_server_does(model: Model, client: Client, name: str) -> None:
    call = CALLS[name]
    ours, theirs = _plain(call(model)), _plain(call(client))
    if name == "session":  # how a stream is cut into parts is a matter of time
        ours, theirs = (
            [part for part in answers if not (isinstance(part, dict) and "choices" in part)]
            for answers in (ours, theirs)
        )
    assert ours == theirs


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (lambda m: m.complete("a", max_tokens=-1), "max_tokens"),
        (lambda m: m.score([]), "input"),
        (lambda m: m.open_session("none"), None),
        (lambda m: list(m.stream("a", temperature=-1.0)), "temperature"),
    ],
)
def test_a_mistake_is_the_error_that_a_server_gives(
    model: Model, client: Client, call: Callable[[Client], Any], param: str | None
) -> None:
    errors = []
    for one in (model, client):
        with pytest.raises(NextcharError) as caught:
            call(one)
        errors.append((type(caught.value), caught.value.message, caught.value.param))
    assert errors[0] == errors[1]
    assert param is None or errors[0][2] == param


def test_many_strings_are_scored_into_an_array(model: Model) -> None:
    strings = [f"{number:x}" for number in range(2 * BATCH_STRINGS + 10)]
    found = model.logprobs(iter(strings))
    assert found.dtype == np.float64
    few = [0, 1, BATCH_STRINGS, len(strings) - 1]
    expected = [item.logprob for item in model.score([strings[k] for k in few]).data]
    np.testing.assert_allclose(found[few], expected, atol=1e-12)
    assert model.logprobs([]).shape == (0,)


def test_an_error_of_many_strings_names_the_string(models: Path) -> None:
    with nextchar.load(models / "refusing") as model:
        strings = ["a"] * (BATCH_STRINGS + 3) + ["☃"]
        with pytest.raises(NextcharError) as caught:
            model.logprobs(strings)
    assert caught.value.param == f"input.{BATCH_STRINGS + 3}"


def test_states_are_arrays(model: Model) -> None:
    states = model.states("hello")
    assert {array.shape for array in states.values()} == {(5, model.inspect("a").data[0].num_units)}
    assert {array.dtype for array in states.values()} == {np.dtype(np.float32)}


def test_gates_are_arrays_and_a_cell_without_them_has_none(model: Model, tmp_path: Path) -> None:
    gates = model.gates("hello")
    assert set(gates) == {f"{name}_{layer}" for name in ("input", "forget", "output") for layer in (0, 1)}
    assert {array.shape for array in gates.values()} == {model.states("hello")["hidden_0"].shape}
    assert all(array.min() >= 0 and array.max() <= 1 for array in gates.values())
    with nextchar.load(write_models(tmp_path, {"plain": TinyModel("rnn_tanh")}) / "plain") as plain:
        assert plain.gates("hello") == {}


@pytest.mark.parametrize("num_chars", [0, 600])  # of 600, a server shows neither: it has 384,000 numbers
def test_states_and_gates_of_any_text_have_a_row_for_each_character(tmp_path: Path, num_chars: int) -> None:
    path = write_models(tmp_path, {"wide": TinyModel(hidden_size=160)}) / "wide"
    with nextchar.load(path) as wide:
        found = [*wide.states("a" * num_chars).values(), *wide.gates("a" * num_chars).values()]
    assert len(found) == 10
    assert {array.shape for array in found} == {(num_chars, 160)}


def test_a_running_loop_does_not_matter(model: Model) -> None:
    async def in_a_notebook() -> float:
        return model.score(["hello"]).data[0].logprob

    assert asyncio.run(in_a_notebook()) == model.score(["hello"]).data[0].logprob


def test_threads_may_share_a_model(model: Model) -> None:
    alone, found = model.logprobs(STRINGS).tolist(), []
    threads = [
        threading.Thread(target=lambda: found.append(model.logprobs(STRINGS).tolist())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 8


def test_a_stream_that_is_left_ends(model: Model) -> None:
    stream = model.stream("a", max_tokens=10**6, seed=1)
    next(stream)
    stream.close()
    until(lambda: model._runtime.model.num_running == 0)


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "nextchar"]


def test_a_model_is_closed_by_with_by_close_and_when_nothing_refers_to_it(models: Path) -> None:
    before = len(_threads())
    with nextchar.load(models / "tiny") as first:
        second, third = nextchar.load(models / "tiny"), nextchar.load(models / "tiny")
        assert len(_threads()) == before + 3
        second.close()
        second.close()
    assert len(_threads()) == before + 1
    del third
    gc.collect()
    until(lambda: len(_threads()) == before)
    for closed in (first, second):
        with pytest.raises(Unavailable, match="the model is closed"):
            closed.score(["a"])


def test_what_runs_when_a_model_is_closed_ends_with_an_error_and_does_not_hang(models: Path) -> None:
    for _ in range(5):
        model = nextchar.load(models / "tiny")
        stream = model.stream("a", max_tokens=10**6, seed=1)
        next(stream)
        ended: list[type[NextcharError]] = []

        def score(model: Model = model, ended: list[type[NextcharError]] = ended) -> None:
            try:
                while True:
                    model.logprobs(["abc"] * 2000)
            except NextcharError as error:
                ended.append(type(error))

        thread = threading.Thread(target=score)
        thread.start()
        model.close()
        thread.join(60)
        assert ended == [Unavailable]
        with pytest.raises(Unavailable):
            list(stream)


def test_an_interrupt_while_a_model_is_opened_ends_its_thread(models: Path) -> None:
    program = (
        "import os, signal, threading, nextchar\n"
        "from nextchar.repository.served_models import ServedModels\n"
        "opened = ServedModels.open\n"
        "def interrupted(self, path):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return opened(self, path)\n"
        "ServedModels.open = interrupted\n"
        "try:\n"
        f"    nextchar.load({str(models / 'tiny')!r})\n"
        "except KeyboardInterrupt:\n"
        "    for thread in threading.enumerate()[1:]:\n"
        "        thread.join()\n"
        "    print('ended')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("ended\n", "")


def test_every_call_of_grpc_that_is_about_a_model_or_session_is_answered(model: Model) -> None:
    """An operation that no use case answers would be refused as a server's; only its limits are."""
    refused = []
    for service in (NEXTCHAR, SESSIONS):
        for method in service.methods:
            if method.client_streaming:
                continue
            operation = Operation("POST", "/path", f"{service.name}/{method.name}", {}, ScoreResponse)
            try:
                model.execute(operation)
            except NextcharError as error:
                if "needs a server" in error.message:
                    refused.append(method.name)
            except AssertionError:  # it was answered, by another type than this test names
                continue
    assert refused == ["Limits"]


def test_what_is_no_model_is_told_and_leaves_no_thread(tmp_path: Path) -> None:
    before = len(_threads())
    damaged = tmp_path / "m" / "1" / "step-int8.onnx"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no model")
    for path in (tmp_path / "absent", damaged, tmp_path / "m"):
        with pytest.raises((ModelFileError, InvalidRequest)):
            nextchar.load(path)
    assert len(_threads()) == before


def test_importing_the_package_imports_no_library_and_a_program_ends_without_closing(models: Path) -> None:
    program = (
        "import sys, nextchar\n"
        "assert not {'numpy', 'onnxruntime', 'httpx', 'grpc'} & set(sys.modules)\n"
        f"model = nextchar.load({str(models / 'tiny')!r})\n"
        "print(model.score(['hello']).data[0].num_chars)\n"
        "assert not {'grpc', 'fastapi', 'uvicorn'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("5\n", "")
