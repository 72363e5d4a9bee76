"""Rules of every request: no number is too large for 64 bits, no list is read beyond its first fault."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import annotated_types
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nextchar.errors import InvalidRequest
from nextchar.rest.repository_handlers import LoadRequest  # with it, all of REST's own
from nextchar.schemas.base import RequestFields, validated
from nextchar.schemas.integer import whole, whole_items
from nextchar.schemas.limits import MAX_INTEGER
from nextchar.schemas.sampling import StreamOptions
from nextchar.schemas.tokens import DetokenizeRequest
from nextchar.service.oip.schemas import InferBody

_LARGEST = 2**64 - 1
_WITHOUT_ITEMS_TO_CHECK = {"data"}  # of any type
assert issubclass(LoadRequest, RequestFields)
assert issubclass(InferBody, RequestFields)


def kinds(of: type[BaseModel]) -> set[type[BaseModel]]:
    return {of}.union(*(kinds(kind) for kind in of.__subclasses__()))


def parts(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yields each type in an annotation with what is declared of it."""
    inner = getattr(annotation, "__metadata__", None)
    if inner is not None:
        yield from parts(get_args(annotation)[0], (*metadata, *inner))
        return
    yield annotation, metadata
    shared = metadata if type(None) in get_args(annotation) else ()
    for each in get_args(annotation):
        yield from parts(each, shared)


def bounds(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for each in metadata:
        yield from each.metadata if isinstance(each, FieldInfo) else [each]


SCHEMAS = sorted(kinds(RequestFields) | {StreamOptions}, key=lambda schema: schema.__name__)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_integer_has_a_largest_value_that_64_bits_hold(schema: type[BaseModel]) -> None:
    for name, info in schema.model_fields.items():
        for kind, metadata in parts(info.annotation, tuple(info.metadata)):
            if kind is int:
                most = [bound.le for bound in bounds(metadata) if isinstance(bound, annotated_types.Le)]
                assert most, (schema, name)
                assert min(most) <= (
                    _LARGEST if schema.__module__.endswith("oip.parameters") else MAX_INTEGER
                )


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_integer_may_be_written_with_a_point_and_without_a_fraction(schema: type[BaseModel]) -> None:
    """JSON Schema, by which the OpenAPI document describes them, takes 2.0 for an integer."""
    for name, info in schema.model_fields.items():
        if name == "prompt":  # which has a validator of its own
            continue
        of_list = [getattr(bound, "func", None) for bound in info.metadata]
        for kind, metadata in parts(info.annotation, tuple(info.metadata)):
            if kind is int:
                functions = [getattr(bound, "func", None) for bound in bounds(metadata)]
                assert whole in functions or whole_items in of_list, (schema, name)


@pytest.mark.parametrize(
    ("text", "param"),
    [
        ('{"tokens": [1, 2.0, 3e1]}', None),
        ('{"tokens": [1, 2.5, "x", -1]}', "tokens.1"),
        ('{"tokens": [1, 2.0, "x", -1]}', "tokens.2"),
        ('{"tokens": [1.0, -1.0, "x"]}', "tokens.1"),
        ('{"tokens": 3.0}', "tokens"),
        ('{"tokens": [true]}', "tokens.0"),
        ('{"tokens": [1e300]}', "tokens.0"),
        ('{"tokens": [1e400]}', "tokens.0"),
    ],
)
def test_a_list_of_integers_is_told_by_its_first_fault(text: str, param: str | None) -> None:
    if param is None:
        assert DetokenizeRequest.model_validate_json(text).tokens == [1, 2, 30]
        return
    with pytest.raises(InvalidRequest) as caught:
        validated(lambda: DetokenizeRequest.model_validate_json(text))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("given", "kept"),
    [(2.0, 2), (-0.0, 0), (1e15, 10**15), (2.5, 2.5), (True, True), ("2", "2"), (None, None), (3, 3)],
)
def test_only_a_number_without_a_fraction_becomes_an_integer(given: object, kept: object) -> None:
    assert (whole(given), type(whole(given))) == (kept, type(kept))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_list_is_validated_up_to_its_first_fault(schema: type[BaseModel]) -> None:
    for name, info in schema.model_fields.items():
        if name == "prompt" or name in _WITHOUT_ITEMS_TO_CHECK:  # prompts are looked at as whole lists
            continue
        for kind, metadata in parts(info.annotation, tuple(info.metadata)):
            if get_origin(kind) is list:
                found = [getattr(bound, "__dict__", None) for bound in bounds(metadata)]
                assert {"fail_fast": True} in found, name
