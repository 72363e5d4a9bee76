"""Measures what one adaptive session of a running server makes of a text, in nats per character.

    python -m benchmarks.quality.adaptive_session tinyshakespeare.txt

The session begins from nothing and is fed the held-out tenth of the text, which is its last, piece by piece.
Every character is predicted before it is learned. What the session answers, `logprob` and `model_logprob`, is
added up.
"""

import argparse
from pathlib import Path

from benchmarks.servers import our_server
from nextchar.client import Client
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import split_corpus

_PORT = 18_400


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.adaptive_session", description=__doc__
    )
    parser.add_argument("file", type=Path, help="text of which the last tenth was held out")
    parser.add_argument("--model", default="tinyshakespeare", help="name of a model in the folder models")
    parser.add_argument("--piece", type=int, default=4096, help="number of characters that are fed at a time")
    arguments = parser.parse_args()
    try:
        corpus = load_corpus(str(arguments.file))
    except CorpusError as error:
        parser.error(str(error))
    text = str(split_corpus(corpus, unit="text", heldout=0.1, development=0).heldout)
    adaptive, static = measure(arguments.model, text, arguments.piece)
    print(f"{len(text):,} characters: adaptive {adaptive:.4f}, static {static:.4f} nats per character")


def measure(model: str, text: str, piece: int) -> tuple[float, float]:
    """Returns nats per character of the mixture and of the network alone."""
    total, network = 0.0, 0.0
    with (
        our_server(Path("models"), _PORT),
        Client(f"http://127.0.0.1:{_PORT}") as client,
        client.session(model=model, adaptive=True) as session,
    ):
        for begin in range(0, len(text), piece):
            answer = session.feed(text[begin : begin + piece], returns="none")
            assert answer.model_logprob is not None
            total, network = total - answer.logprob, network - answer.model_logprob
        assert session.info().position == len(text)
    return total / len(text), network / len(text)


if __name__ == "__main__":
    main()
