"""Converts the fields of one type between its schema and its message, as descriptor and declarations say."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nextchar.errors import InvalidRequest
from nextchar.schemas import protobuf_pairs as pairs
from nextchar.schemas.rows import Rows, blocks, is_long

ValueWriter = Callable[[Any], Any]
# From a value of the schema to the name of a field in the message, and what it holds.
FieldWriter = Callable[[Any], tuple[str, Any]]
# From a value of the message, and the fields of the request that it answers, to a value of the schema.
ValueReader = Callable[[Any, Mapping[str, Any]], Any]
Fields = list[tuple[FieldDescriptor, str]]  # of a message, with their names in the schema

_codecs: dict[type[Message], "Codec"] = {}


def codec_of(message_type: type[Message]) -> "Codec":
    """Returns the codec of a type of message, which is made at its first use."""
    found = _codecs.get(message_type)
    if found is None:
        found = _codecs[message_type] = Codec(message_type)
    return found


class Codec:
    """Converts one type; what each field needs is determined once.

    `names` are the fields of the schema that can be written. `never_empty` are its lists whose default is
    not the empty list, for which a message would take an empty one; `parts` are the types of its messages.
    """

    def __init__(self, message_type: type[Message]) -> None:
        fields = list(named_fields(message_type))
        self._left_out = pairs.LEFT_OUT.get(message_type, frozenset[str]())
        self._readers = {field.name: (name, _value_reader(message_type, field)) for field, name in fields}
        self._field_writers = list(dict(_field_writers(message_type, fields)).items())
        self._field_of_forms, _, self._form = pairs.FORMS.get(message_type, ("", (), _no_form))
        self._unset = dict(_unset(message_type, fields))
        self._asked_for = pairs.ASKED_FOR.get(message_type, {})
        self._comes_with = pairs.COMES_WITH.get(message_type, {})
        self.names = self._left_out | {name for _, name in fields}
        self.never_empty = frozenset(_never_empty(message_type, fields))
        self.parts = dict(_parts(fields))

    def write(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of the message's constructor; what is None is left out."""
        written = {
            name: value.plain(0, len(value)) if isinstance(value, Rows) else value
            for name, value in values.items()
            if value is not None
        }
        for name in self._left_out:
            written.pop(name, None)
        for name, write in self._field_writers:
            if name in written:
                target, value = write(written.pop(name))
                written[target] = value
        return written

    def fill(self, message: Any, answer: BaseModel) -> Iterator[None]:
        """Fills an empty message with an answer, long lists block by block; it yields after each block."""
        fields = {name: value for name, value in answer if name not in self._left_out}
        long = {name: fields.pop(name) for name in list(fields) if is_long(fields[name])}
        message.MergeFrom(type(message)(**self.write(fields)))
        for name, value in long.items():
            if isinstance(value, BaseModel):
                yield from _fill(getattr(message, name), value)
                continue
            for block in blocks(value):
                if isinstance(block[0], BaseModel) and any(map(is_long, block)):
                    items = getattr(message, self._form(value)[0] if name == self._field_of_forms else name)
                    for item in block:
                        yield from _fill(items.add(), item)
                else:
                    message.MergeFrom(type(message)(**self.write({name: block})))
                yield

    def read(self, message: Message, request: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the fields of the schema.

        Raises:
            InvalidRequest: one of them is set in two forms.
        """
        fields: dict[str, Any] = {}
        for descriptor, value in message.ListFields():
            reader = self._readers.get(descriptor.name)
            if reader is None:  # the name of the session, which is none of the body's fields
                continue
            name, read = reader
            if name in fields:
                raise InvalidRequest(f"{name} must be set in only one of {self._forms(name)}", param=name)
            fields[name] = value if read is None else read(value, request)
        for name, (asking, wanted) in self._asked_for.items():
            if request.get(asking) == wanted:
                fields.setdefault(name, [])
        for name, other in self._comes_with.items():
            if other in fields:
                fields.setdefault(name, [])
        return self._unset | fields

    def _forms(self, name: str) -> str:
        *forms, last = [target for target, (other, _) in self._readers.items() if other == name]
        return f"{', '.join(forms)} and {last}"


def _fill(message: Message, answer: BaseModel) -> Iterator[None]:
    return codec_of(type(message)).fill(message, answer)


def _no_form(_value: Any) -> tuple[str, Any]:
    raise AssertionError("no field of this message has forms")


def named_fields(message_type: type[Message]) -> Iterator[tuple[FieldDescriptor, str]]:
    """The fields of a message that its schema has too, with their names in the schema."""
    renamed = {new: name for name, new in pairs.RENAMED.get(message_type, {}).items()}
    field_of_forms, forms, _ = pairs.FORMS.get(message_type, ("", (), None))
    for field in message_type.DESCRIPTOR.fields:
        if field.name == "session_id" and message_type in pairs.NAME_THEIR_SESSION:
            continue
        name = field_of_forms if field.name in forms else renamed.get(field.name, field.name)
        yield field, name


def _infos(message_type: type[Message]) -> dict[str, FieldInfo]:
    """The fields of a message's schema, by their names in JSON; none if it has no schema."""
    schema = pairs.SCHEMAS.get(message_type)
    return {} if schema is None else {info.alias or name: info for name, info in schema.model_fields.items()}


def _never_empty(message_type: type[Message], fields: Fields) -> Iterator[str]:
    """The lists that a request may leave out, and that are then not empty."""
    infos = _infos(message_type)
    for field, name in fields:
        info = infos.get(name)
        if field.is_repeated and info is not None and not info.is_required() and info.default not in ([], {}):
            yield name


def _parts(fields: Fields) -> Iterator[tuple[str, type[Message]]]:
    """The types of the fields that hold one message."""
    for field, name in fields:
        if field.message_type is not None and not field.is_repeated:
            yield name, GetMessageClass(field.message_type)


def _unset(message_type: type[Message], fields: Fields) -> Iterator[tuple[str, Any]]:
    """The values of fields that are not set in a message, but are not left out of the JSON either."""
    infos = _infos(message_type)
    for field, name in fields:
        if (info := infos.get(name)) is None:
            continue
        if field.is_repeated and info.is_required():
            yield name, {} if _is_map(field) else []
        elif not (field.is_repeated or field.has_presence):
            yield name, field.default_value
        elif info.is_required() and type(None) in get_args(info.annotation):
            yield name, None


def _field_writers(message_type: type[Message], fields: Fields) -> Iterator[tuple[str, FieldWriter]]:
    """The fields that cannot be written as they are, by their names in the schema."""
    writers = {field.name: _value_writer(message_type, field) for field, _ in fields}
    field_of_forms, _, form = pairs.FORMS.get(message_type, ("", (), None))
    for field, name in fields:
        write = writers[field.name]
        if form is not None and name == field_of_forms:
            yield name, _form_writer(form, writers)
        elif write is not None or field.name != name:
            yield name, _field_writer(field.name, write)


def _field_writer(target: str, write: ValueWriter | None) -> FieldWriter:
    return lambda value: (target, value if write is None else write(value))


def _form_writer(form: FieldWriter, writers: Mapping[str, ValueWriter | None]) -> FieldWriter:
    def put(value: Any) -> tuple[str, Any]:
        target, of_target = form(value)
        return _field_writer(target, writers[target])(of_target)

    return put


def _value_writer(message_type: type[Message], field: FieldDescriptor) -> ValueWriter | None:
    """Returns what converts the values of a field; None if they are written as they are."""
    if field.name in (converted := pairs.CONVERTED.get(message_type, {})):
        return converted[field.name][0]
    if field.message_type is None:
        return None
    if _is_map(field):
        inner = _value_writer(message_type, field.message_type.fields_by_name["value"])
        return inner and (lambda found: {key: inner(value) for key, value in found.items()})
    kind = GetMessageClass(field.message_type)
    if kind in pairs.WRAPPERS:
        wrap = _wrapper(kind)
        return lambda items: [wrap(item) for item in items]
    write = codec_of(kind).write
    if field.is_repeated:
        return lambda items: [write(item if type(item) is dict else item.__dict__) for item in items]
    return lambda item: write(item if type(item) is dict else item.__dict__)  # a client gives a dict


def _wrapper(kind: type[Message]) -> ValueWriter:
    (field,) = kind.DESCRIPTOR.fields
    write = _value_writer(kind, field)
    return lambda item: {} if item is None else {field.name: item if write is None else write(item)}


def _value_reader(message_type: type[Message], field: FieldDescriptor) -> ValueReader | None:
    """Returns what converts the values of a field; None if they are read as they are."""
    if field.name in (converted := pairs.CONVERTED.get(message_type, {})):
        read_values = converted[field.name][1]
        return lambda values, _: read_values(values)
    if field.message_type is None:
        return (lambda values, _: list(values)) if field.is_repeated else None
    if _is_map(field):
        inner = _value_reader(message_type, field.message_type.fields_by_name["value"])
        if inner is None:
            return lambda found, _: dict(found)
        return lambda found, request: {key: inner(value, request) for key, value in found.items()}
    read = _item_reader(GetMessageClass(field.message_type))
    return (lambda items, request: [read(item, request) for item in items]) if field.is_repeated else read


def _item_reader(kind: type[Message]) -> ValueReader:
    if kind in pairs.WRAPPERS:
        (field,) = kind.DESCRIPTOR.fields
        inner = _value_reader(kind, field)
        assert inner is not None  # a list or a map
        if kind in pairs.NONE_IF_EMPTY:
            return lambda item, request: inner(getattr(item, field.name), request) or None
        return lambda item, request: inner(getattr(item, field.name), request)
    return codec_of(kind).read


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
