"""Maps the generate extension to completions, which it has under other names."""

from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.completion import Choice, Completion, CompletionRequest, Logprobs
from nextchar.schemas.rows import Rows
from nextchar.service.oip.schemas import (
    FinishReason,
    GenerateDetails,
    GenerateLogprob,
    GenerateParameters,
    GenerateRequest,
    GenerateResponse,
)

_OWN = {"details", "stream", "logprobs"}


def to_completion(request: GenerateRequest, model: str, *, stream: bool) -> CompletionRequest:
    """Makes the request of `/v1/completions` that is equal to a generate request."""
    parameters = request.parameters or GenerateParameters.model_validate({})
    fields = {name: getattr(parameters, name) for name in parameters.model_fields_set - _OWN}
    logprobs = 0 if parameters.details else None
    return CompletionRequest(
        model=model, prompt=request.text_input, logprobs=logprobs, stream=stream, **fields
    )


def to_response(
    piece: Completion, vocabulary: Vocabulary, *, details: bool, given_id: str | None = None
) -> GenerateResponse:
    """Makes the response of a completion, or of a piece of one; it repeats the id that the request has."""
    (choice,) = piece.choices
    return GenerateResponse(
        text_output=choice.text,
        model_name=piece.model,
        model_version=piece.model_version,
        id=given_id or None,
        details=_details(choice, vocabulary) if details else None,
    )


def _details(choice: Choice, vocabulary: Vocabulary) -> GenerateDetails:
    return GenerateDetails(
        finish_reason=_finish_reason(choice), logprobs=_Logprobs(choice.logprobs, vocabulary)
    )


class _Logprobs(Rows[GenerateLogprob]):
    """Lists the characters of a completion with their ids."""

    def __init__(self, found: Logprobs | None, vocabulary: Vocabulary) -> None:
        self._tokens, self._logprobs = ([], []) if found is None else (found.tokens, found.token_logprobs)
        self._vocabulary = vocabulary
        self._ids = {label: i for i, label in enumerate(vocabulary.labels)}

    def __len__(self) -> int:
        return len(self._tokens)

    def made(self, plain: dict[str, object]) -> GenerateLogprob:
        return GenerateLogprob.model_validate(plain)

    def plain(self, start: int, stop: int) -> list[dict[str, object]]:
        return [self._row(self._tokens[k], self._logprobs[k]) for k in range(start, stop)]

    def _row(self, token: str, logprob: float | None) -> dict[str, object]:
        symbol_id = self._ids.get(token, self._vocabulary.unknown_id)
        assert symbol_id is not None, token
        assert logprob is not None, token  # only the begin symbol has none, and it is not in the text
        special = self._vocabulary.special(symbol_id) is not None
        return {"id": symbol_id, "text": token, "logprob": logprob, "special": special}


def _finish_reason(choice: Choice) -> FinishReason | None:
    if choice.finish_reason == "stop":
        return "eos_token" if choice.ended else "stop_sequence"
    return None if choice.finish_reason is None else "length"
