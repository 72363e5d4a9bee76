from nextchar.model.card import Quality
from nextchar_training.measure.figures import describe_quality


def _quality(network: float, ngram: float) -> list[Quality]:
    return [
        Quality(name=name, protocol="stream", nats_per_char=nats, bits_per_char=nats / 0.6931, num_chars=9)
        for name, nats in (("network", network), ("kneser-ney-7", ngram))
    ]


def test_a_network_that_loses_to_the_ngram_is_told_so() -> None:
    assert "the network LOSES to the 7-gram by 0.2000 nats" in describe_quality(_quality(1.7, 1.5))[-1]


def test_a_network_that_wins_says_by_how_much() -> None:
    lines = describe_quality(_quality(1.4, 1.5))
    assert len(lines) == 3
    assert lines[-1] == "the network beats the 7-gram by 0.1000 nats per character"
