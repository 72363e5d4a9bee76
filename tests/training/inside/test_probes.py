import numpy as np
import pytest
from support.tiny_models import LINES, TEXT

from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar_training.inside.probes import PROBES, Probe, known, memory
from nextchar_training.inside.recall import NUM_SYMBOLS, train_recall

_PROBE = Probe("test", "i am {}. ", "one two ", "so ", {"a king": "rich", "poor": "not"})


@pytest.fixture(scope="module")
def graph() -> ModelGraph:
    return TEXT.step("float32")


@pytest.mark.parametrize("distance", [0, 3, 8, 50])
def test_filler_is_of_the_length_that_is_asked_for(distance: int) -> None:
    first, second = _PROBE.contexts(distance)
    assert len(first) == len("i am a king. so ") + distance
    assert first.removeprefix("i am a king. ") == second.removeprefix("i am poor. ")


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: str(probe.name))
def test_every_context_names_its_fact_and_nothing_else_in_its_place(probe: Probe) -> None:
    before, after = probe.beginning.split("{}")
    for fact, context in zip(probe.answers, probe.contexts(10), strict=True):
        assert context.startswith(f"{before}{fact}{after}")
        assert "{{" not in context


def _continuation(graph: ModelGraph, context: str, answer: str) -> float:
    (logprobs,) = symbol_logprobs(graph, [graph.vocabulary.encode(context + answer)])
    return float(logprobs[len(context) :].sum())


def test_memory_is_what_the_fact_adds_to_its_own_continuation(graph: ModelGraph) -> None:
    (found,) = memory(graph, _PROBE, [20])
    king, poor = _PROBE.contexts(20)
    own = [_continuation(graph, king, "rich"), _continuation(graph, poor, "not")]
    others = [_continuation(graph, poor, "rich"), _continuation(graph, king, "not")]
    assert found.distance == 20
    assert found.nats == pytest.approx(np.mean(own) - np.mean(others), abs=1e-6)
    assert found.probability == pytest.approx(np.exp(np.mean(own)), rel=1e-5)


def test_a_probe_is_for_models_that_know_its_characters(graph: ModelGraph) -> None:
    assert known(graph, _PROBE)
    assert not known(graph, next(probe for probe in PROBES if probe.name == "open bracket"))
    assert not known(LINES.step(), _PROBE)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_every_probes_facts_differ_in_nothing_but_the_fact(probe: Probe) -> None:
    contexts = probe.contexts(30)
    assert len(set(contexts)) == len(contexts) == len(set(probe.answers.values()))
    assert len({context[-30 - len(probe.ending) :] for context in contexts}) == 1


def test_a_short_lag_is_learned_and_one_step_is_chance() -> None:
    found = train_recall("gru", 3, max_steps=300)
    assert found.solved
    assert found.steps < 300
    unlearned = train_recall("gru", 3, max_steps=1)
    assert not unlearned.solved
    assert unlearned.accuracy < 3 / NUM_SYMBOLS
