"""Turns the sampling fields of a request into the parameters of its lanes."""

import hashlib
import secrets
from collections.abc import Callable

import numpy as np

from nextchar.engine.automaton import Automaton
from nextchar.engine.lane import Penalties, Sampling
from nextchar.engine.work import UNLIMITED
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.repository.model import Model
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.inference.regex_compiler import RegexCompiler, Symbols

_SEEDS = 2**64
_MAX_ID_DIGITS = 9
_NEVER = -float("inf")

Bias = tuple[tuple[int, float], ...]


def make_seed(given: int | None) -> int:
    """Returns the given seed, or a random one."""
    return secrets.randbelow(_SEEDS) if given is None else given % _SEEDS


def choice_seed(seed: int, choice: int) -> int:
    """Returns the seed of a choice: the request's own for the first, one derived from it for each other."""
    if choice == 0:
        return seed
    digest = hashlib.blake2b(
        seed.to_bytes(8, "little") + choice.to_bytes(8, "little"), digest_size=8
    ).digest()
    return int.from_bytes(digest, "little")


async def make_sampling(
    model: Model,
    request: SamplingFields,
    regexes: RegexCompiler,
    *,
    seed: int,
    first_draw: int = 0,
    on_wait: Callable[[], None] = lambda: None,
) -> Sampling:
    """Returns how a request draws, with a seed's random numbers from number `first_draw` on.

    Calls `on_wait` if its pattern waits for others to be compiled.

    Raises:
        InvalidRequest: a field names a symbol that the model does not have, or leaves none to draw.
        QueueFull: too many patterns wait to be compiled.
    """
    vocabulary, options = model.graph.vocabulary, request.stream_options
    allowed = _allowed(vocabulary, request.allowed_chars)
    end_ids = _end_ids(vocabulary, request.stop_token_ids)
    stop = [ids for text in request.stop if (ids := _stop_ids(vocabulary, text))]
    _check_something_left(vocabulary, allowed, end_ids, request)
    return Sampling(
        max_chars=request.max_tokens,
        seed=seed,
        first_draw=first_draw,
        temperature=request.temperature,
        top_k=request.top_k,
        top_p=request.top_p,
        min_p=request.min_p,
        typical_p=request.typical_p,
        bias=_bias(vocabulary, request.logit_bias) + _forbidden(vocabulary, allowed),
        penalties=Penalties(request.presence_penalty, request.frequency_penalty, request.repetition_penalty),
        stop=(*stop, *((symbol_id,) for symbol_id in end_ids)),
        chars_per_delivery=options.min_event_chars if request.stream else 0,
        seconds_per_delivery=options.max_event_seconds if request.stream else UNLIMITED,
        automaton=await _automaton(vocabulary, allowed, request, regexes, on_wait),
        end_ids=end_ids,
        min_chars=request.min_tokens,
        includes_stop=request.include_stop_str_in_output,
        reports_drawn_logprobs=request.post_sampling_logprobs,
    )


def _allowed(vocabulary: Vocabulary, characters: str | None) -> frozenset[int] | None:
    """Returns the ids of the characters that may be drawn; None for all."""
    if characters is None:
        return None
    by_character = {c: i for i, c in enumerate(vocabulary.characters)}
    ids = set()
    for character in characters:
        symbol_id = by_character.get(vocabulary.normalize(character))
        if symbol_id is None:
            why = "is more than one byte: use regex instead"
            if vocabulary.symbols != "bytes":
                why = "is not in the model's vocabulary"
            raise InvalidRequest(f"allowed_chars holds {character!r}, which {why}", param="allowed_chars")
        ids.add(symbol_id)
    return frozenset(ids)


def _forbidden(vocabulary: Vocabulary, allowed: frozenset[int] | None) -> Bias:
    if allowed is None:
        return ()
    return tuple((i, _NEVER) for i in range(len(vocabulary.characters)) if i not in allowed)


def _end_ids(vocabulary: Vocabulary, ids: list[int]) -> tuple[int, ...]:
    wrong = next((i for i in ids if i >= vocabulary.num_outputs), None)
    if wrong is not None:
        raise InvalidRequest(
            f"stop_token_ids holds {wrong}; ids are 0 to {vocabulary.num_outputs - 1}",
            param="stop_token_ids",
        )
    return tuple(ids)


def _check_something_left(
    vocabulary: Vocabulary, allowed: frozenset[int] | None, end_ids: tuple[int, ...], request: SamplingFields
) -> None:
    characters: Ids | list[int] = np.arange(len(vocabulary.characters)) if allowed is None else list(allowed)
    if request.min_tokens and set(map(int, characters)) <= set(end_ids):
        raise InvalidRequest(
            "min_tokens must be 0 when every character that may be drawn is one of stop_token_ids",
            param="min_tokens",
        )


async def _automaton(
    vocabulary: Vocabulary,
    allowed: frozenset[int] | None,
    request: SamplingFields,
    regexes: RegexCompiler,
    on_wait: Callable[[], None],
) -> Automaton | None:
    if request.regex is None:
        return None
    symbols = _symbols(vocabulary, allowed)
    return await regexes.automaton(request.regex, symbols, request.max_tokens, on_wait)


def _symbols(vocabulary: Vocabulary, allowed: frozenset[int] | None) -> Symbols:
    """Returns the bytes of each symbol that can be predicted; none for special and disallowed ones."""
    encoding = "latin-1" if vocabulary.symbols == "bytes" else "utf-8"
    count = len(vocabulary.characters)
    return tuple(
        vocabulary.characters[i].encode(encoding, "surrogatepass")
        if i < count and (allowed is None or i in allowed)
        else b""
        for i in range(vocabulary.num_outputs)
    )


def _bias(vocabulary: Vocabulary, by_symbol: dict[str, float]) -> Bias:
    """Returns ids and what is added to their log-probabilities.

    Raises:
        InvalidRequest: a key is neither a character of the model nor the id of a symbol.
    """
    return tuple((_symbol_id(vocabulary, key), bias) for key, bias in by_symbol.items())


def _symbol_id(vocabulary: Vocabulary, key: str) -> int:
    """Reads a key: digits are an id, as OpenAI's clients send them; anything else is a character."""
    if not (key.isascii() and key.isdecimal()):
        normal = vocabulary.normalize(key)
        if normal in vocabulary.characters:
            return vocabulary.characters.index(normal)
    elif len(key) <= _MAX_ID_DIGITS and int(key) < vocabulary.num_outputs:
        return int(key)
    raise InvalidRequest(
        f"logit_bias has the key {key[:20]!r}, which is neither a character of the model nor an id below "
        f"{vocabulary.num_outputs}",
        param="logit_bias",
    )


def _stop_ids(vocabulary: Vocabulary, text: str) -> tuple[int, ...]:
    """Returns a stop string's ids; none if it holds a character that can never be sampled."""
    try:
        ids = vocabulary.encode(text).tolist()
    except KeyError:
        return ()
    return () if vocabulary.unknown_id in ids else tuple(ids)
