"""REST answers say where their time went and what served them."""

import pytest
from support.live_server import LiveServer

TIMES = ("x-total-time", "x-queue-time", "x-inference-time")


@pytest.mark.parametrize(
    ("path", "body", "given", "generated"),
    [
        ("/v1/score", {"input": ["hello", "ab"], "context": "abc"}, 10, 0),
        ("/v1/score", {"input": ["hello"]}, 5, 0),
        ("/v1/next", {"input": "abc"}, 3, 0),
        ("/v1/completions", {"prompt": "ab", "max_tokens": 7}, 2, 7),
        ("/v1/sessions", {"prime": "abcd"}, 4, 0),
    ],
)
def test_an_answer_has_its_times_counts_and_version(
    server: LiveServer, path: str, body: dict[str, object], given: int, generated: int
) -> None:
    answer = server.post(path, {"model": "tiny", **body})
    assert answer.is_success
    total, queue, inference = (float(answer.headers[name]) for name in TIMES)
    assert 0 <= queue <= total
    assert 0 < inference <= total
    assert int(answer.headers["x-prompt-tokens"]) == given
    assert int(answer.headers["x-generated-tokens"]) == generated
    assert answer.headers["x-model-version"] == "1"


def test_a_stream_and_bytes_say_which_version_answers(server: LiveServer) -> None:
    stream = server.post("/v1/completions", {"model": "tiny", "max_tokens": 3, "stream": True})
    assert stream.headers["x-model-version"] == "1"
    session = server.post("/v1/sessions", {"model": "tiny"}).json()["session_id"]
    state = server.get(f"/v1/sessions/{session}/state")
    assert state.headers["x-model-version"] == "1"
