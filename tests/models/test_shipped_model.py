"""The shipped model scores real text the same over every API."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.live_server import LiveServer, live_server

from nextchar.entrypoints.main import main
from nextchar.model.graph import ModelGraph
from nextchar.pb import nextchar_pb2 as pb
from nextchar_training.run.checkpoint import vocabulary_to_dict
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.heldout import heldout_split
from nextchar_training.text.split import Split

MODELS = Path(__file__).parents[2] / "models"
FOLDER = MODELS / "shakespeare" / "1"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(MODELS) as running:
        yield running


@pytest.fixture(scope="module")
def split(sequence: ModelGraph) -> Split:
    """The text that the model was trained on, split as it was then."""
    return heldout_split(sequence.card)


def test_hello_is_likelier_than_htktt_through_rest_grpc_and_cli(server: LiveServer) -> None:
    words = ["hello", "htktt"]
    rest = server.post("/v1/score", {"model": "shakespeare", "input": words}).json()["data"]
    with server.stub() as stub:
        rpc = stub.Score(pb.ScoreRequest(model="shakespeare", input=words)).data
    arguments = ["score", str(MODELS / "shakespeare"), *words, "--json"]
    cli = json.loads(CliRunner().invoke(main, arguments).stdout)["data"]
    for hello, htktt in (
        [item["logprob"] for item in rest],
        [item.logprob for item in rpc],
        [item["logprob"] for item in cli],
    ):
        assert hello - htktt >= 10
        assert (hello, htktt) == (rest[0]["logprob"], rest[1]["logprob"])


def test_a_score_is_the_sum_of_what_next_gives_step_by_step(server: LiveServer) -> None:
    text = "ROMEO:\nBut soft! what light"
    total = 0.0
    for k in range(len(text)):
        data = server.post("/v1/next", {"model": "shakespeare", "input": text[:k]}).json()["data"]
        total += next(item["logprob"] for item in data if item["char"] == text[k])
    (score,) = server.post("/v1/score", {"model": "shakespeare", "input": [text]}).json()["data"]
    assert total == pytest.approx(score["logprob"], abs=1e-5)


def test_the_card_beats_the_7_gram_and_names_its_origin(step: ModelGraph, split: Split) -> None:
    quality = {(q.name, q.protocol): q for q in step.card.quality}
    network, ngram = quality["network", "stream"], quality["kneser-ney-7", "stream"]
    assert network.nats_per_char < ngram.nats_per_char
    assert network.num_chars == ngram.num_chars == len(split.heldout)
    assert quality["network-int8", "stream"].nats_per_char - network.nats_per_char <= 0.002
    provenance = step.card.provenance
    assert provenance["corpus_sha256"] == load_corpus("shakespeare").sha256
    assert 1_000_000 <= provenance["num_parameters"] <= 4_000_000
    command = (MODELS / "README.md").read_text()
    assert provenance["command"].replace("70.0", "70") in command


def test_both_files_hold_the_same_vocabulary(sequence: ModelGraph, step: ModelGraph) -> None:
    assert vocabulary_to_dict(sequence.vocabulary) == vocabulary_to_dict(step.vocabulary)
    assert sequence.card.provenance == step.card.provenance
    # Not to the last digit: model.onnx stayed when the same weights were exported to new step graphs.
    for a, b in zip(sequence.card.quality, step.card.quality, strict=True):
        assert (a.name, a.protocol, a.num_chars) == (b.name, b.protocol, b.num_chars)
        assert a.nats_per_char == pytest.approx(b.nats_per_char, abs=1e-5)
