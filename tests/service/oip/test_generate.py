"""The generate extension is completions under other names: every field, and every way a text may end."""

import pytest

from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.completion import Choice, Completion, CompletionRequest, Logprobs
from nextchar.service.oip.generate import to_completion, to_response
from nextchar.service.oip.schemas import GenerateLogprob, GenerateParameters, GenerateRequest

_TEXT = Vocabulary(("a", "b"))  # unknown is 2
_LINE = Vocabulary(("a", "b"), unit="line", unknown="refuse")  # end is 2
_OTHER = {"seed": 3, "max_tokens": 7, "temperature": 0.5, "stop": ["x"], "min_p": 0.25, "timeout": 2.0}


def _request(**parameters: object) -> GenerateRequest:
    return GenerateRequest(text_input="hello", parameters=GenerateParameters.model_validate(parameters))


def _completion(choice: Choice) -> Completion:
    names = {"id": "i", "created": 1, "system_fingerprint": "f", "choices": [choice]}
    return Completion.model_validate(names | {"model": "tiny", "model_version": "4"})


def _choice(**fields: object) -> Choice:
    return Choice.model_validate({"text": "ab", "index": 0, "finish_reason": None, "ended": False} | fields)


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_a_completion_of_the_same_fields(stream: bool) -> None:
    made = to_completion(_request(**_OTHER), "tiny:2", stream=stream)
    assert made.model_fields_set == {*_OTHER, "model", "prompt", "stream"}
    assert {name: getattr(made, name) for name in _OTHER} == _OTHER
    assert (made.model, made.prompt, made.stream, made.logprobs) == ("tiny:2", "hello", stream, None)


# What a completion has that a request of one text with one answer, and sequences beside it, does without.
OF_COMPLETIONS_ALONE = {
    *("model", "prompt", "suffix", "user", "request_id"),
    *("n", "best_of", "echo", "prompt_logprobs"),
    *("session_id", "if_revision", "state", "return_state"),
}


def test_every_other_field_of_a_completion_is_a_parameter() -> None:
    own = GenerateParameters.model_fields.keys() - {"details"}
    assert own == CompletionRequest.model_fields.keys() - OF_COMPLETIONS_ALONE


@pytest.mark.parametrize("adaptive", [True, {}, {"orders": [1, 2]}, {"window": 1024, "learn_drawn": True}])
def test_what_is_learned_is_said_as_in_a_completion(adaptive: object) -> None:
    made = to_completion(_request(adaptive=adaptive), "tiny", stream=False)
    asked = CompletionRequest.model_validate({"prompt": "hello", "adaptive": adaptive})
    assert made.adaptive == asked.adaptive
    assert made.adaptive is not None
    assert asked.adaptive is not None
    assert made.adaptive.model_fields_set == asked.adaptive.model_fields_set


def test_the_path_decides_of_a_stream_and_details_decide_of_log_probabilities() -> None:
    made = to_completion(_request(stream=True, logprobs=5, details=True), "tiny", stream=False)
    assert (made.stream, made.logprobs) == (False, 0)
    assert to_completion(_request(details=False, logprobs=5), "tiny", stream=True).logprobs is None


def test_a_response_has_the_text_and_who_wrote_it() -> None:
    made = to_response(_completion(_choice(finish_reason="length")), _TEXT, details=False)
    assert made.model_dump(exclude_none=True) == {
        "text_output": "ab",
        "model_name": "tiny",
        "model_version": "4",
    }


@pytest.mark.parametrize(
    ("reason", "ended", "told"),
    [
        (None, False, None),
        ("length", False, "length"),
        ("given", False, "length"),
        ("stop", True, "eos_token"),
        ("stop", False, "stop_sequence"),
    ],
)
def test_details_say_why_it_ended(reason: str | None, ended: bool, told: str | None) -> None:
    choice = _choice(finish_reason=reason, ended=ended)
    details = to_response(_completion(choice), _LINE, details=True).details
    assert details is not None
    assert (details.finish_reason, details.logprobs) == (told, [])


@pytest.mark.parametrize(
    ("vocabulary", "tokens", "ids", "special"),
    [
        (_TEXT, ["b", "<|unknown|>", "a"], [1, 2, 0], [False, True, False]),
        # A character of the prompt that the model does not have is shown as itself.
        (_TEXT, ["x"], [2], [True]),
        (_LINE, ["a", "<|end|>"], [0, 2], [False, True]),
    ],
)
def test_details_have_the_id_of_each_character(
    vocabulary: Vocabulary, tokens: list[str], ids: list[int], special: list[bool]
) -> None:
    values = [-0.5 * k for k in range(len(tokens))]
    logprobs = Logprobs(
        tokens=tokens, token_logprobs=values, top_logprobs=[{}] * len(tokens), text_offset=[0]
    )
    details = to_response(_completion(_choice(logprobs=logprobs)), vocabulary, details=True).details
    assert details is not None
    assert details.logprobs == [
        GenerateLogprob(id=i, text=token, logprob=value, special=s)
        for i, token, value, s in zip(ids, tokens, values, special, strict=True)
    ]
