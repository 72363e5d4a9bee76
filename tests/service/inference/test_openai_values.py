"""Values that OpenAI's clients and those of other servers send mean here what they mean there."""

import json
from typing import Any

import pytest
from support.live_server import LiveServer
from support.tiny_models import CHARACTERS, TEXT

from nextchar.pb import nextchar_pb2 as pb

BASE = {"model": "tiny", "prompt": "abc ", "max_tokens": 40, "seed": 7}


def choice(server: LiveServer, **fields: Any) -> dict[str, Any]:
    answer = server.post("/v1/completions", {**BASE, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["choices"][0]
    return found


def text_of(server: LiveServer, **fields: Any) -> str:
    return str(choice(server, **fields)["text"])


def events(server: LiveServer, **fields: Any) -> list[tuple[int, dict[str, Any]]]:
    """The size of each event of a stream and what it holds."""
    with server.stream("/v1/completions", {**BASE, "stream": True, **fields}) as answer:
        assert answer.status_code == 200
        datas = [line.removeprefix("data: ") for line in answer.read().decode().split("\n") if line]
    assert datas.pop() == "[DONE]"
    return [(len(data.encode()), json.loads(data)) for data in datas]


@pytest.mark.parametrize("model", ["tiny", "lines", "bytes"])
@pytest.mark.parametrize("top", [0, 1, 3])
@pytest.mark.parametrize("echo", [True, False])
def test_each_character_is_among_its_alternatives(
    server: LiveServer, model: str, top: int, echo: bool
) -> None:
    found = choice(server, model=model, logprobs=top, echo=echo, temperature=2)["logprobs"]
    for token, logprob, tops in zip(
        found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True
    ):
        assert tops[token] == logprob
        likeliest = sorted(tops.values(), reverse=True)
        assert len(tops) == top + (logprob not in likeliest[:top])
        assert likeliest[top:] == ([] if len(tops) == top else [logprob])


def test_logprobs_zero_is_the_character_alone(server: LiveServer) -> None:
    found = choice(server, logprobs=0)["logprobs"]
    values = zip(found["tokens"], found["token_logprobs"], strict=True)
    assert found["top_logprobs"] == [{token: logprob} for token, logprob in values]
    with server.stub() as stub:
        parts = list(stub.Complete(pb.CompletionRequest(**BASE, logprobs=0)))
    told = [dict(top.logprobs) for part in parts for top in part.choices[0].logprobs.top_logprobs]
    assert told == found["top_logprobs"]


def test_alternatives_reported_after_sampling_hold_the_character_too(server: LiveServer) -> None:
    found = choice(server, logprobs=1, post_sampling_logprobs=True, temperature=2, top_k=5)["logprobs"]
    places = zip(found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True)
    assert all(tops[token] == logprob for token, logprob, tops in places)
    assert {len(tops) for tops in found["top_logprobs"]} == {1, 2}


@pytest.mark.parametrize(
    ("model", "prompt"), [("tiny", "abc "), ("tiny", ""), ("tiny", "é\N{SNOWMAN}"), ("bytes", "né €")]
)
def test_offsets_count_from_the_beginning_of_the_prompt_with_or_without_echo(
    server: LiveServer, model: str, prompt: str
) -> None:
    fields = {"model": model, "prompt": prompt, "logprobs": 1, "seed": 3}
    echoed, plain = (choice(server, echo=echo, **fields)["logprobs"]["text_offset"] for echo in (True, False))
    assert plain == echoed[-len(plain) :]
    assert plain[0] == len(prompt)
    assert echoed[0] == 0
    ids = server.post("/tokenize", {"model": model, "prompt": prompt}).json()["tokens"]
    by_ids = choice(server, **fields | {"prompt": ids or ""})["logprobs"]["text_offset"]
    assert by_ids == plain
    streamed = [e["choices"][0]["logprobs"]["text_offset"] for _, e in events(server, **fields)]
    assert [offset for part in streamed for offset in part] == plain


def test_of_several_prompts_each_is_counted_by_itself(server: LiveServer) -> None:
    body = {**BASE, "prompt": ["a", "abc"], "n": 2, "logprobs": 0, "max_tokens": 1}
    choices = server.post("/v1/completions", body).json()["choices"]
    assert [choice["logprobs"]["text_offset"] for choice in choices] == [[1], [1], [3], [3]]


def test_offsets_of_a_session_count_from_the_prompt_of_the_request(server: LiveServer) -> None:
    session = server.post("/v1/sessions", {"model": "tiny", "prime": "once"}).json()["session_id"]
    found = choice(server, session_id=session, logprobs=0, prompt="ab", max_tokens=2)
    assert found["logprobs"]["text_offset"] == [2, 3]
    drawn = server.post(f"/v1/sessions/{session}/sample", {"logprobs": 0, "max_tokens": 2}).json()
    assert drawn["choices"][0]["logprobs"]["text_offset"] == [0, 1]


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"top_k": -1}, {}),
        ({"top_k": 0}, {}),
        ({"stop": ""}, {}),
        ({"stop": [""]}, {}),
        ({"stop": ["", "e", ""]}, {"stop": "e"}),
        ({"typical_p": 1}, {}),
        ({"max_tokens": 40.0, "seed": 7.0, "n": 1.0}, {}),
        ({"stop_token_ids": [5.0], "top_k": 1e1, "logprobs": None}, {"stop_token_ids": [5], "top_k": 10}),
        ({"stream_options": {"min_event_chars": 3.0}}, {}),
    ],
)
def test_a_value_means_what_clients_mean_by_it(
    server: LiveServer, given: dict[str, Any], same: dict[str, Any]
) -> None:
    assert text_of(server, **given) == text_of(server, **same)


def test_seed_minus_one_is_a_random_one(server: LiveServer) -> None:
    assert len({text_of(server, seed=-1) for _ in range(4)}) > 1
    with server.stub() as stub:
        request = pb.CompletionRequest(**BASE | {"seed": -1})
        assert len({"".join(p.choices[0].text for p in stub.Complete(request)) for _ in range(4)}) > 1
    drawn = set()
    for _ in range(4):
        session = server.post("/v1/sessions", {"model": "tiny", "seed": -1}).json()["session_id"]
        made = server.post(f"/v1/sessions/{session}/sample", {"max_tokens": 40}).json()
        drawn.add(made["choices"][0]["text"])
    assert len(drawn) > 1


def test_ids_may_be_written_with_a_point(server: LiveServer) -> None:
    ids = TEXT.vocabulary.encode("abc ").tolist()
    pointed = [float(i) for i in ids]
    assert text_of(server, prompt=pointed) == text_of(server, prompt=ids) == text_of(server)
    assert text_of(server, prompt=[pointed]) == text_of(server)
    refused = server.post("/v1/completions", {**BASE, "prompt": [1.5]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prompt")


def test_typical_p_draws_the_same_over_every_door(server: LiveServer) -> None:
    fields = {"typical_p": 0.3, "temperature": 1.5}
    text = text_of(server, **fields)
    assert text != text_of(server, temperature=1.5)
    with server.stub() as stub:
        request = pb.CompletionRequest(**BASE, **fields)
        assert "".join(part.choices[0].text for part in stub.Complete(request)) == text
    parameters = {"max_tokens": 40, "seed": 7, **fields}
    body = {"text_input": "abc ", "parameters": parameters}
    assert server.post("/v2/models/tiny/generate", body).json()["text_output"] == text
    session = server.post("/v1/sessions", {"model": "tiny", "prime": "abc "}).json()["session_id"]
    drawn = server.post(f"/v1/sessions/{session}/sample", parameters).json()
    assert drawn["choices"][0]["text"] == text


def test_typical_p_draws_only_what_is_near_the_entropy(server: LiveServer) -> None:
    found = choice(server, typical_p=0.2, logprobs=20, post_sampling_logprobs=True, max_tokens=20)
    raw = choice(server, typical_p=0.2, logprobs=20, max_tokens=20)
    assert found["text"] == raw["text"]
    kept = [len(tops) for tops in found["logprobs"]["top_logprobs"]]
    assert max(kept) < len(CHARACTERS) / 2
    greedy = {"temperature": 0, "presence_penalty": 0.1}
    assert text_of(server, typical_p=0.05, **greedy) == text_of(server, **greedy)


def test_a_stream_may_tell_its_usage_all_along(server: LiveServer) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True, "min_event_chars": 7}
    found = [event for _, event in events(server, stream_options=options)]
    *parts, last = found
    num_drawn = 0
    for part in parts:
        num_drawn += len(part["choices"][0]["text"])
        total = {"prompt_tokens": 4, "completion_tokens": num_drawn, "total_tokens": 4 + num_drawn}
        assert part["usage"] == total
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 40)
    alone = events(server, stream_options={"continuous_usage_stats": True})
    assert all("usage" not in event for _, event in alone)


def test_usage_all_along_is_that_of_the_choice_of_the_event(server: LiveServer) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    found = [e for _, e in events(server, prompt=["a", "abc"], n=2, stream_options=options)]
    ends = {
        e["choices"][0]["index"]: e["usage"]
        for e in found
        if e["choices"] and e["choices"][0]["finish_reason"]
    }
    assert {k: usage["total_tokens"] for k, usage in ends.items()} == {0: 41, 1: 41, 2: 43, 3: 43}
    assert found[-1]["usage"] == {"prompt_tokens": 4, "completion_tokens": 160, "total_tokens": 164}


def test_obfuscation_makes_the_size_of_an_event_tell_nothing_of_its_text(server: LiveServer) -> None:
    options = {"include_obfuscation": True, "min_event_chars": 5}
    found, plain = (
        events(server, stream_options=options),
        events(server, stream_options={"min_event_chars": 5}),
    )
    assert len({size for size, _ in plain}) > 1
    assert {size % 256 for size, _ in found} == {0}
    assert len({size for size, _ in found}) == 1
    texts = [[e["choices"][0]["text"] for _, e in each] for each in (found, plain)]
    assert "".join(texts[0]) == "".join(texts[1])
    assert len({event["obfuscation"] for _, event in found}) == len(found)
    assert all("obfuscation" not in event for _, event in plain)
