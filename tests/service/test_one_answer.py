"""REST, gRPC, the Open Inference Protocol and the command line: the same text, the same numbers."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from support.live_server import LiveServer
from support.oip_client import WAYS, infer
from support.rpc_answers import same

from nextchar.entrypoints.main import main
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

NUM_REQUESTS = 240
_LETTERS = "\n abcdefghijklmnopqrstuvwxyz.,éÉ☃\U0001f600"
_MODELS = ("tiny", "lines", "bytes")
_STATED = ("seed", "max_tokens", "temperature", "top_k", "top_p", "min_p", "stop")


def _text(rng: random.Random, longest: int = 12) -> str:
    return "".join(rng.choices(_LETTERS, k=rng.randint(0, longest)))


def _score(rng: random.Random) -> dict[str, Any]:
    fields: dict[str, Any] = {"input": [_text(rng) for _ in range(rng.randint(1, 4))]}
    if rng.random() < 0.3:
        fields["context"] = _text(rng)
    return fields


def _next(rng: random.Random) -> dict[str, Any]:
    return {"input": _text(rng)}


def _complete(rng: random.Random) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "prompt": _text(rng),
        "seed": rng.randint(0, 2**40),
        "max_tokens": rng.randint(0, 24),
    }
    shapes: dict[str, Any] = {
        "temperature": rng.choice([0.0, 0.5, 1.3]),
        "top_k": rng.randint(1, 9),
        "top_p": rng.uniform(0.3, 1),
        "min_p": rng.uniform(0, 0.1),
        "stop": [rng.choice("aeiou"), "xy"],
        "logprobs": rng.randint(0, 3),
    }
    return fields | {name: shapes[name] for name in shapes if rng.random() < 0.3}


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, model and fields, the same every time."""
    rng = random.Random(20261125)
    kinds: dict[str, Callable[[random.Random], dict[str, Any]]] = {
        "score": _score,
        "next": _next,
        "complete": _complete,
    }
    for _ in range(NUM_REQUESTS):
        kind = rng.choice(list(kinds))
        model = rng.choice(_MODELS)
        fields = kinds[kind](rng)
        if kind == "score" and model == "lines" and rng.random() < 0.5:
            fields["include_end"] = True
        yield kind, model, fields


def by_rest(server: LiveServer, kind: str, model: str, fields: dict[str, Any]) -> dict[str, Any]:
    path = {"score": "/v1/score", "next": "/v1/next", "complete": "/v1/completions"}[kind]
    answer = server.post(path, {"model": model, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def check_grpc(stub: Any, kind: str, model: str, fields: dict[str, Any], rest: dict[str, Any]) -> None:
    if kind == "score":
        same(stub.Score(pb.ScoreRequest(model=model, **fields)), rest)
    elif kind == "next":
        same(stub.Next(pb.NextRequest(model=model, **fields)), rest)
    else:
        pieces = list(stub.Complete(pb.CompletionRequest(model=model, **fields)))
        assert "".join(piece.choices[0].text for piece in pieces) == rest["choices"][0]["text"]
        assert pieces[-1].choices[0].finish_reason == rest["choices"][0]["finish_reason"]
        if "logprobs" in fields:
            told = rest["choices"][0]["logprobs"]
            parts = [piece.choices[0].logprobs for piece in pieces]
            for name in ("tokens", "token_logprobs", "text_offset"):
                assert [value for part in parts for value in getattr(part, name)] == told[name]
            found = [dict(top.logprobs) for part in parts for top in part.top_logprobs]
            assert found == told["top_logprobs"]


def check_oip(
    server: LiveServer, way: str, kind: str, model: str, fields: dict[str, Any], rest: dict[str, Any]
) -> None:
    if kind == "score":
        texts = [text.encode() for text in fields["input"]]
        scores = [one["logprob"] for one in rest["data"]]
        if "context" not in fields:
            found = infer(server, way, model, texts, ("score",), include_end=fields.get("include_end", False))
            assert found["score"].tolist() == scores
        elif not fields.get("include_end"):  # the first text, as the second step of a sequence
            named = {"sequence_id": "context"}
            infer(server, way, model, [fields["context"].encode()], sequence_start=True, **named)
            found = infer(server, way, model, texts[:1], ("score",), sequence_end=True, **named)
            assert found["score"].tolist() == scores[:1]
    elif kind == "next":
        found = infer(server, way, model, [fields["input"].encode()], ("log_probs", "next_id"))
        by_id = {one["id"]: one["logprob"] for one in rest["data"]}
        assert found["log_probs"].tolist() == [[by_id[i] for i in range(len(by_id))]]
        assert found["next_id"].tolist() == [rest["data"][0]["id"]]
    else:
        parameters = {name: fields[name] for name in _STATED if name in fields}
        request = {"text_input": fields["prompt"], "parameters": {**parameters, "details": True}}
        answer = server.post(f"/v2/models/{model}/generate", request).json()
        assert answer["text_output"] == rest["choices"][0]["text"]
        if "logprobs" in fields:
            told = rest["choices"][0]["logprobs"]
            shown = [(one["text"], one["logprob"]) for one in answer["details"]["logprobs"]]
            assert shown == list(zip(told["tokens"], told["token_logprobs"], strict=True))


def check_cli(folder: Path, kind: str, model: str, fields: dict[str, Any], rest: dict[str, Any]) -> None:
    path = str(folder / model)
    if kind == "score":
        options = ["--include-end"] if fields.get("include_end") else []
        options += ["--context", fields["context"]] if "context" in fields else []
        arguments = ["score", path, "--json", *options, "--", *fields["input"]]
    elif kind == "next":
        arguments = ["next", path, "--json", "--top", "1000", "--", fields["input"]]
    else:
        options = [f"--{name.replace('_', '-')}={fields[name]}" for name in _STATED[:-1] if name in fields]
        options += [f"--stop={text}" for text in fields.get("stop", ())]
        arguments = ["complete", path, *options, "--", fields["prompt"]]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    if kind == "complete":
        assert done.stdout == rest["choices"][0]["text"] + "\n"
    else:
        assert json.loads(done.stdout)["data"] == rest["data"]


@pytest.mark.parametrize("part", range(4))
def test_every_protocol_gives_the_same(server: LiveServer, models: Path, part: int) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = nextchar_pb2_grpc.NextcharStub(channel)
        for index, (kind, model, fields) in enumerate(requests()):
            if index % 4 != part:
                continue
            rest = by_rest(server, kind, model, fields)
            check_grpc(stub, kind, model, fields, rest)
            check_oip(server, WAYS[part], kind, model, fields, rest)
            check_cli(models, kind, model, fields, rest)
