"""A request or an answer and its message hold the same: nothing is lost, in either direction."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from nextchar.errors import InvalidRequest
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas import protobuf_pairs as pairs
from nextchar.schemas.base import RequestFields, ResponseModel
from nextchar.schemas.completion import Choice, CompletionRequest, Logprobs
from nextchar.schemas.inspect import GateTrace, InspectRequest, StateTrace
from nextchar.schemas.judging import JudgeInfo, JudgeList
from nextchar.schemas.models import ModelInfo, ModelList
from nextchar.schemas.protobuf import to_answer, to_fields, to_message, to_request
from nextchar.schemas.protobuf_codec import codec_of, named_fields
from nextchar.schemas.score import Score
from nextchar.schemas.sessions import FeedResponse, SessionInfo

MESSAGE_TYPES = [GetMessageClass(found) for found in pb.DESCRIPTOR.message_types_by_name.values()]
# Messages that no schema is: what REST says in a path, in a query or by a connection of its own.
OF_GRPC_ALONE = {
    pb.SessionId,
    pb.LimitsRequest,
    pb.TokenizerInfoRequest,
    pb.SessionCall,
    pb.SessionReply,
    *pairs.WRAPPERS,
}
OF_REST_ALONE = {ModelInfo, ModelList, JudgeInfo, JudgeList}


def by_name(schema: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info for name, info in schema.model_fields.items()}


def subclasses(of: type[BaseModel]) -> set[type[BaseModel]]:
    found = {kind for kind in of.__subclasses__() if kind.__module__.startswith("nextchar.schemas.")}
    return found.union(*(subclasses(kind) for kind in found))


def test_every_message_is_of_a_schema() -> None:
    assert set(MESSAGE_TYPES) == set(pairs.PAIRS.values()) | OF_GRPC_ALONE
    assert len(pairs.SCHEMAS) == len(pairs.PAIRS)


def test_every_schema_has_a_message() -> None:
    bases = {kind for kind in pairs.PAIRS for kind in kind.__mro__}  # parts of others
    assert (subclasses(RequestFields) | subclasses(ResponseModel)) - bases == OF_REST_ALONE


@pytest.mark.parametrize("schema", pairs.PAIRS, ids=lambda schema: schema.__name__)
def test_both_have_the_same_fields(schema: type[BaseModel]) -> None:
    message_type = pairs.PAIRS[schema]
    left_out = pairs.LEFT_OUT.get(message_type, frozenset()) | pairs.REFUSED.get(message_type, frozenset())
    assert {name for _, name in named_fields(message_type)} | left_out == by_name(schema).keys()
    assert not left_out & {name for _, name in named_fields(message_type)}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, but an empty list where null would do: a message cannot tell the two apart."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(args[0])
    if origin in (UnionType, Union):
        may_be_none = type(None) in args
        kinds = [values(arg) for arg in args if arg is not type(None)]
        some = st.one_of(*kinds)
        return st.one_of(st.none(), some.filter(lambda v: v not in ([], {}))) if may_be_none else some
    if origin is list:
        return st.lists(values(args[0]), max_size=4)
    if origin is dict:
        return st.dictionaries(values(args[0]), values(args[1]), max_size=4)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return instances(annotation)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-100, 100),
        float: st.floats(allow_nan=False),
        str: st.text(max_size=8),
        bool: st.booleans(),
        bytes: st.binary(max_size=8),
    }
    return simple[annotation] if annotation in simple else st.sampled_from(args)


def instances(schema: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any instance of a schema; what its validators say of values is no matter of the mapping."""
    fields = {name: values(info.annotation) for name, info in schema.model_fields.items()}
    for name in fields.keys() & codec_of(pairs.PAIRS[schema]).never_empty:
        fields[name] = fields[name].filter(lambda value: value != [])
    if schema in (StateTrace, GateTrace):  # gRPC has no base64
        fields["values"] = st.lists(st.lists(st.floats(allow_nan=False), max_size=3), max_size=3)
    if schema is CompletionRequest:
        fields["prompt"] = fields["prompt"].filter(lambda prompt: prompt != [])
    made = st.fixed_dictionaries(fields).map(lambda found: schema.model_construct(**found))
    if schema is SessionInfo:
        made = made.filter(lambda info: (info.state_bytes is None) == (info.checkpoints is None))
    return made


def without_empty(value: Any) -> Any:
    """Fields that a request sets: null is the default of each, and so is an empty list if allowed."""
    if not isinstance(value, dict):
        return value
    found = {name: without_empty(item) for name, item in value.items()}
    return {name: item for name, item in found.items() if item not in (None, [], {})}


REQUESTS = [schema for schema in pairs.PAIRS if issubclass(schema, RequestFields)]
ANSWERS = [schema for schema in pairs.PAIRS if issubclass(schema, ResponseModel)]


@pytest.mark.parametrize("schema", REQUESTS, ids=lambda schema: schema.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_request_comes_back_as_it_went(schema: type[BaseModel], data: st.DataObject) -> None:
    message_type = pairs.PAIRS[schema]
    fields = data.draw(instances(schema)).model_dump(by_alias=True, exclude_none=True)
    for name in pairs.REFUSED.get(message_type, ()):
        del fields[name]
    for name in pairs.REFUSED[pb.StreamOptions]:
        fields.get("stream_options", {}).pop(name, None)
    name_of_session = "mine" if message_type in pairs.NAME_THEIR_SESSION else None
    message = to_request(fields, message_type, session_id=name_of_session)
    assert getattr(message, "session_id", None) == name_of_session or "session_id" in by_name(schema)
    for name in pairs.LEFT_OUT.get(message_type, ()):
        del fields[name]
    for name in pairs.LEFT_OUT[pb.StreamOptions]:
        fields.get("stream_options", {}).pop(name, None)
    prompt = fields.get("prompt")
    if schema is CompletionRequest and isinstance(prompt, list) and isinstance(prompt[0], int):
        fields["prompt"] = [prompt]  # one prompt of ids
    read = to_fields(message_type.FromString(message.SerializeToString()))
    assert without_empty(read) == without_empty(fields)


@pytest.mark.parametrize("schema", ANSWERS, ids=lambda schema: schema.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_an_answer_comes_back_as_it_went(schema: type[BaseModel], data: st.DataObject) -> None:
    message_type = pairs.PAIRS[schema]
    answer = data.draw(instances(schema))
    left_out = pairs.LEFT_OUT.get(message_type, frozenset())
    answer = answer.model_copy(update=dict.fromkeys(left_out))
    message = message_type.FromString(to_message(answer, message_type).SerializeToString())
    assert to_answer(message, schema, {}).model_dump() == answer.model_dump()


def test_a_list_that_was_asked_for_is_there_though_empty() -> None:
    score = pb.Score(index=1)
    assert to_answer(score, Score, {"return_chars": True}).chars == []
    assert to_answer(score, Score, {}).chars is None
    choice = to_answer(pb.Choice(), Choice, {"return_token_ids": True})
    assert (choice.token_ids, choice.prompt_token_ids, choice.prompt_logprobs) == ([], [], None)
    fed = pb.FeedResponse(session_id="a")
    assert to_answer(fed, FeedResponse, {"return": "each"}).data == []
    assert to_answer(fed, FeedResponse, {"return": "none"}).data is None


def test_a_value_that_there_is_not_stays_none() -> None:
    begin = Logprobs(tokens=[""], token_logprobs=[None], top_logprobs=[{}], text_offset=[0])
    assert to_answer(to_message(begin, pb.Logprobs), Logprobs, {}) == begin


@pytest.mark.parametrize(
    ("message", "prompt"),
    [
        (pb.CompletionRequest(prompt="ab"), "ab"),
        (pb.CompletionRequest(prompts=["ab", ""]), ["ab", ""]),
        (pb.CompletionRequest(prompt_token_ids=[pb.TokenIds(ids=[1, 2]), pb.TokenIds()]), [[1, 2], []]),
    ],
)
def test_a_prompt_has_a_field_for_each_of_its_forms(message: pb.CompletionRequest, prompt: Any) -> None:
    assert to_fields(message) == {"prompt": prompt}
    assert to_request({"prompt": prompt}, pb.CompletionRequest) == message


def test_a_prompt_in_two_forms_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="only one of prompt, prompts and prompt_token_ids") as caught:
        to_fields(pb.CompletionRequest(prompt="", prompts=["a"]))
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"nosuch": 1}, "unknown_field", "nosuch"),
        ({"stream_options": {"nosuch": 1}}, "invalid_value", None),
        ({"stream_options": "often"}, "invalid_value", None),
        ({"max_tokens": "many"}, "invalid_value", None),
        ({"max_tokens": 2**70}, "invalid_value", None),
        ({"user": "\ud800"}, "invalid_value", None),
        ({"prompt": 5}, "invalid_value", None),
        ({"prompt": []}, "invalid_value", "prompt"),
    ],
)
def test_what_a_message_cannot_hold_is_refused(fields: Any, code: str, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_request(fields, pb.CompletionRequest)
    assert (caught.value.code, caught.value.param) == (code, param)


def refused(schema: type[BaseModel], fields: dict[str, Any], name: str) -> bool:
    """Whether the server refuses a field; whatever else is missing is no matter."""
    try:
        schema.model_validate(fields)
    except InvalidRequest as error:
        return error.param == name
    except ValidationError as error:
        return any(one["loc"][0] == name for one in error.errors())
    return False


@pytest.mark.parametrize("schema", REQUESTS, ids=lambda schema: schema.__name__)
def test_an_empty_list_is_refused_over_grpc_where_rest_refuses_it(schema: type[BaseModel]) -> None:
    message_type = pairs.PAIRS[schema]
    for name in {name for field, name in named_fields(message_type) if field.is_repeated}:
        info = by_name(schema)[name]
        empty: Any = {} if info.default == {} else []
        try:
            read = to_fields(to_request({name: empty}, message_type))
        except InvalidRequest as error:
            over_grpc = error.param == name
        else:
            over_grpc = refused(schema, read, name)
        assert over_grpc == refused(schema, {name: empty}, name), name
        # Else the default would silently take its place.
        assert over_grpc or info.is_required() or info.default == empty, name


@pytest.mark.parametrize("message_type", [pb.ScoreRequest, pb.CompletionRequest, pb.CreateSessionRequest])
def test_an_empty_list_inside_a_field_is_refused_by_its_path(message_type: Any) -> None:
    with pytest.raises(InvalidRequest, match="orders must have at least one item; leave it out") as caught:
        to_request({"adaptive": {"orders": []}}, message_type)
    assert caught.value.param == "adaptive.orders"
    assert to_fields(to_request({"adaptive": {}}, message_type))["adaptive"] == {}


def test_the_encoding_of_states_is_of_rest_alone() -> None:
    fields = InspectRequest(model="m", input="a").model_dump(exclude_none=True)
    with pytest.raises(InvalidRequest, match="encoding_format is not a field"):
        to_request(fields, pb.InspectRequest)
