"""Reads which symbol each id of a foreign network stands for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextchar_training.foreign.error import ImportRefused

# The names that programs give to symbols that are no characters, in lower case.
_BEGIN = ("<s>", "<bos>", "<sos>", "<start>", "<begin>", "[bos]", "[cls]", "^bos")
_END = ("</s>", "<eos>", "<end>", "[eos]", "[sep]", "<|endoftext|>")
_UNKNOWN = ("<unk>", "[unk]", "<unknown>", "<oov>", "\N{REPLACEMENT CHARACTER}")
_PAD = ("<pad>", "[pad]", "<blank>", "")
_TABLES = ("stoi", "char_to_ix", "char2idx", "char_to_id", "token_to_id", "itos", "chars", "vocab", "symbols")


@dataclass(frozen=True)
class Roles:
    """The symbols that a user named for what they are; None for those that are found by their usual names."""

    begin: str | None = None
    end: str | None = None
    unknown: str | None = None
    pad: str | None = None


@dataclass(frozen=True)
class Symbols:
    """What each id stands for: a character each, or one of the special symbols; the others are left out.

    `begin` and `end` may also be the ids of characters. None: the network has no such symbol.
    """

    characters: Mapping[str, int]
    begin: int | None
    end: int | None
    unknown: int | None
    left_out: tuple[int, ...]


def read_symbols(path: Path) -> dict[int, str]:
    """Reads a table of symbols by id from JSON.

    It is an object from symbol to id or from id to symbol, a list or string of symbols in the order of their
    ids, or an object that holds one of these under a usual name (`stoi`, `itos`, `chars`, …).

    Raises:
        ImportRefused: the file is not such a table.
    """
    try:
        return parse_symbols(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise ImportRefused(f"cannot read {path.name}: {error.strerror}", param="symbols") from None
    except ValueError as error:
        raise ImportRefused(f"{path.name} is not JSON: {error}", param="symbols") from None


def parse_symbols(table: Any) -> dict[int, str]:
    """Returns a table of symbols by id, from any of the forms that `read_symbols` reads."""
    if isinstance(table, Mapping):
        for name in _TABLES:
            if isinstance(table.get(name), Mapping | list | str) and len(table[name]) > 1:
                return parse_symbols(table[name])
    found = list(_pairs(table))
    if not found:
        raise ImportRefused("symbols must have at least two characters (there are none)", param="symbols")
    by_id = dict(found)
    if len(by_id) != len(found) or len({symbol for _, symbol in found}) != len(found):
        raise ImportRefused("symbols must give every id one symbol and every symbol one id", param="symbols")
    return by_id


def _pairs(table: Any) -> Iterator[tuple[int, str]]:
    if isinstance(table, str | Sequence):
        yield from enumerate(map(str, table))
        return
    if not isinstance(table, Mapping) or not table:
        raise ImportRefused(
            "symbols must be a JSON object from symbol to id or from id to symbol, or a list of symbols",
            param="symbols",
        )
    forward = all(isinstance(value, int) and not isinstance(value, bool) for value in table.values())
    for key, value in table.items():
        if forward:
            yield value, str(key)
        elif isinstance(value, str) and str(key).isdecimal():
            yield int(key), value
        else:
            raise ImportRefused(
                f"symbols must map symbols to ids or ids to symbols ({key!r} is mapped to {value!r})",
                param="symbols",
            )


def assign_roles(table: Mapping[int, str], num_inputs: int, num_outputs: int, roles: Roles) -> Symbols:
    """Separates characters from special symbols, of a network that reads and predicts so many ids.

    What is read and never predicted has the last ids.

    Raises:
        ImportRefused: an id is not the network's, or a symbol has several characters and no role.
    """
    _check_ids(table, num_inputs)
    ids = {symbol: key for key, symbol in table.items()}
    unknown, pad = _find(ids, roles.unknown, _UNKNOWN, "unknown"), _find(ids, roles.pad, _PAD, "pad")
    begin, end = _find(ids, roles.begin, _BEGIN, "begin"), _find(ids, roles.end, _END, "end")
    special = {unknown, pad, end}
    if begin is not None and (_is_name(table[begin]) or begin >= num_outputs):
        special.add(begin)
    characters = {symbol: key for symbol, key in ids.items() if key not in special}
    _check_characters(characters)
    if begin is None:
        begin = end if end is not None else characters.get("\n")
    predicted = {*characters.values(), unknown, end} - {None}
    _check_ids({key: symbol for key, symbol in table.items() if key in predicted}, num_outputs)
    left_out = set(range(num_outputs)) - predicted
    return Symbols(characters, begin, end, unknown, tuple(sorted(left_out)))


def _check_ids(table: Mapping[int, str], num_ids: int) -> None:
    outside = next((key for key in table if not 0 <= key < num_ids), None)
    if outside is not None:
        raise ImportRefused(
            f"symbols must have ids from 0 to {num_ids - 1}, the network's ({table[outside]!r} has "
            f"{outside})",
            param="symbols",
        )


def _find(ids: Mapping[str, int], given: str | None, usual: Sequence[str], role: str) -> int | None:
    if given is not None:
        if given not in ids:
            raise ImportRefused(f"{role} must be one of the symbols (is {given!r})", param=role)
        return ids[given]
    return next((key for symbol, key in ids.items() if symbol.lower() in usual), None)


def _is_name(symbol: str) -> bool:
    return len(symbol) != 1


def _check_characters(characters: Mapping[str, int]) -> None:
    longer = next((symbol for symbol in characters if _is_name(symbol)), None)
    if longer is not None:
        raise ImportRefused(
            f"symbols must be single characters ({longer!r} has {len(longer)}): say what it is with --begin, "
            "--end, --unknown or --pad, if it is one of these; a model of longer tokens cannot be served",
            param="symbols",
        )
    half = next((symbol for symbol in characters if "\ud800" <= symbol <= "\udfff"), None)
    if half is not None:
        raise ImportRefused(
            f"symbols must be whole characters ({half!r} is half of a surrogate pair): write it as one",
            param="symbols",
        )
    if len(characters) < 2:
        raise ImportRefused("symbols must have at least two characters", param="symbols")
