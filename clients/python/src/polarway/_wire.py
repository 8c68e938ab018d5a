"""The wire format of protobuf, as far as the protocol needs it.

Messages are dataclasses, each with a table of its fields. Both are generated from the protocol's definition. This
module encodes and decodes them. A library of protobuf would do the same, but its generated code only works with some
versions of it, and users have their own.

Decoding follows proto3: unknown fields are skipped, a field that comes twice is the last one (messages are merged), an
unknown number of an enum stays a number. Values of type `bytes` are views into what was decoded: nothing is copied.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import operator
import struct
from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic, NoReturn, TypeAlias, TypeVar

from polarway.errors import MalformedMessage

Bytes: TypeAlias = bytes | memoryview
"""What a field of bytes holds: after decoding, a view into the message's bytes."""

# How many groups, which are only skipped, may lie in one another. Messages can't be deeper than their types are.
_DEEPEST_GROUP: Final = 100

_VARINT: Final = 0
_EIGHT_BYTES: Final = 1
_LENGTH: Final = 2
_GROUP_START: Final = 3
_GROUP_END: Final = 4
_FOUR_BYTES: Final = 5

_DOUBLE: Final = struct.Struct("<d")
_FIXED32: Final = struct.Struct("<I")


class Kind(enum.Enum):
    """The type of a field."""

    STRING = enum.auto()
    BYTES = enum.auto()
    MESSAGE = enum.auto()
    # From texts to texts: there are no others.
    MAP = enum.auto()
    ENUM = enum.auto()
    BOOL = enum.auto()
    INT32 = enum.auto()
    INT64 = enum.auto()
    UINT32 = enum.auto()
    UINT64 = enum.auto()
    FIXED32 = enum.auto()
    DOUBLE = enum.auto()


_WIRE_TYPES: Final = {
    Kind.STRING: _LENGTH,
    Kind.BYTES: _LENGTH,
    Kind.MESSAGE: _LENGTH,
    Kind.MAP: _LENGTH,
    Kind.FIXED32: _FOUR_BYTES,
    Kind.DOUBLE: _EIGHT_BYTES,
}

# The least value of a number, and the one behind the greatest.
_RANGES: Final = {
    Kind.ENUM: (-(1 << 31), 1 << 31),
    Kind.INT32: (-(1 << 31), 1 << 31),
    Kind.INT64: (-(1 << 63), 1 << 63),
    Kind.UINT32: (0, 1 << 32),
    Kind.UINT64: (0, 1 << 64),
    Kind.FIXED32: (0, 1 << 32),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: a row of the table that is generated for the message."""

    number: int
    name: str
    kind: Kind
    # The class of a message or an enum.
    of: type[Any] | None = None
    repeated: bool = False
    # Whether `None` means that it is absent. Otherwise it is absent when it has its default.
    optional: bool = False
    # The group of fields of which one at the most is set.
    oneof: str | None = None
    tag: int = dataclasses.field(init=False)
    tag_bytes: bytes = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        tag = self.number << 3 | _WIRE_TYPES.get(self.kind, _VARINT)
        object.__setattr__(self, "tag", tag)
        object.__setattr__(self, "tag_bytes", _varint_bytes(tag))


class Message:
    """The base class of all messages."""

    __slots__ = ()

    FULL_NAME: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()
    # What reads the fields, by their tags, which have number and wire type in them. To look at a field's type each time
    # takes as long as to read it.
    TAKERS: ClassVar[dict[int, Taker]] = {}
    # For each field in a oneof, the names of the others in it.
    RIVALS: ClassVar[dict[str, tuple[str, ...]]] = {}


Taker: TypeAlias = "Callable[[Message, _Reader], None]"
"""Reads a value of a field, and puts it into a message."""

M = TypeVar("M", bound=Message)
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclasses.dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """A method of a service."""

    path: str
    request: type[Request]
    response: type[Response]
    client_streaming: bool
    server_streaming: bool


def describe(message_type: type[Message], full_name: str, fields: tuple[Field, ...]) -> None:
    """Gives a class of messages its table. Generated code calls this once for each."""
    message_type.FULL_NAME = full_name
    message_type.FIELDS = fields
    message_type.RIVALS = {
        field.name: tuple(other.name for other in fields if other.oneof == field.oneof and other is not field)
        for field in fields
        if field.oneof is not None
    }
    message_type.TAKERS = {field.tag: _taker(field, message_type.RIVALS.get(field.name, ())) for field in fields}


def encode(message: Message) -> bytes:
    """The bytes of a message.

    Raises:
        ValueError: A value is of another type or out of its type's range, a text has a lone surrogate, or two fields of
            one oneof are set. The text names the field.
    """
    pieces: list[Bytes] = []
    _write_message(message, pieces)
    return b"".join(pieces)


def field_of(message_type: type[Message], name: str) -> Field:
    """A field of a message, by its name."""
    return next(field for field in message_type.FIELDS if field.name == name)


def framed(field: Field, pieces: list[Bytes]) -> list[Bytes]:
    """A field of bytes or of a message, whose encoded value is in pieces, so that all is joined only once."""
    size = sum(memoryview(piece).nbytes for piece in pieces)
    return [field.tag_bytes + _varint_bytes(size), *pieces]


def decode(message_type: type[M], data: Bytes) -> M:
    """The message that these bytes are.

    Raises:
        MalformedMessage: They are none.
    """
    view = memoryview(data).cast("B")
    message = message_type()
    _read_message(message, _Reader(message_type.FULL_NAME, view, 0, len(view)))
    return message


# Encoding


def _varint_bytes(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _write_message(message: Message, pieces: list[Bytes]) -> int:
    """Appends the bytes of a message, in pieces so that large ones are copied once, and says how many there are."""
    size = 0
    for field in message.FIELDS:
        value = getattr(message, field.name)
        if field.kind is Kind.MAP:
            for key, entry in value.items():
                parts = [_text_bytes(message, field, 1, key), _text_bytes(message, field, 2, entry)]
                size += _write_length(field, sum(map(len, parts)), pieces)
                pieces.extend(parts)
        elif field.repeated:
            for item in value:
                size += _write_value(message, field, item, pieces)
        elif _is_present(field, value):
            rivals = message.RIVALS.get(field.name, ())
            if any(getattr(message, rival) is not None for rival in rivals):
                raise ValueError(f"{message.FULL_NAME}: {field.name} is set together with another of {field.oneof}")
            size += _write_value(message, field, value, pieces)
    return size


def _is_present(field: Field, value: Any) -> bool:
    if value is None:
        return False
    if field.optional or field.kind is Kind.MESSAGE:
        return True
    if field.kind is Kind.DOUBLE:
        # Negative zero is not the default.
        return bool(value != 0 or math.copysign(1, value) < 0)
    return bool(value)


def _write_length(field: Field, length: int, pieces: list[Bytes]) -> int:
    """Appends what comes before `length` bytes, and gives the size of all."""
    start = field.tag_bytes + _varint_bytes(length)
    pieces.append(start)
    return len(start) + length


def _write_value(message: Message, field: Field, value: Any, pieces: list[Bytes]) -> int:
    kind = field.kind
    if kind is Kind.MESSAGE:
        nested: list[Bytes] = []
        size = _write_length(field, _write_message(value, nested), pieces)
        pieces.extend(nested)
        return size
    if kind is Kind.BYTES:
        size = _write_length(field, memoryview(value).nbytes, pieces)
        pieces.append(value)
        return size
    if kind is Kind.STRING:
        text = _utf8(message, field, value)
        size = _write_length(field, len(text), pieces)
        pieces.append(text)
        return size
    encoded = field.tag_bytes + _number_bytes(message, field, value)
    pieces.append(encoded)
    return len(encoded)


def _number_bytes(message: Message, field: Field, value: Any) -> bytes:
    if field.kind is Kind.DOUBLE:
        return _DOUBLE.pack(value)
    if field.kind is Kind.BOOL:
        return b"\x01" if value else b"\x00"
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{message.FULL_NAME}.{field.name}: {value!r} is no integer") from None
    least, behind = _RANGES[field.kind]
    if not least <= value < behind:
        raise ValueError(f"{message.FULL_NAME}.{field.name}: {value} is out of range")
    if field.kind is Kind.FIXED32:
        return _FIXED32.pack(value)
    # Negative numbers are written as 64 bits, also where the type has 32.
    return _varint_bytes(value & 0xFFFF_FFFF_FFFF_FFFF)


def _utf8(message: Message, field: Field, text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"{message.FULL_NAME}.{field.name}: {text!r} is no text")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{message.FULL_NAME}.{field.name}: the text is no Unicode: {error}") from None


def _text_bytes(message: Message, field: Field, number: int, text: str) -> bytes:
    """A key or a value of a map."""
    encoded = _utf8(message, field, text)
    return bytes((number << 3 | _LENGTH,)) + _varint_bytes(len(encoded)) + encoded


# Decoding


class _Reader:
    """A part of a message's bytes, and how far it has been read."""

    __slots__ = ("_end", "_full_name", "_position", "_view")

    def __init__(self, full_name: str, view: memoryview, position: int, end: int) -> None:
        self._full_name = full_name
        self._view = view
        self._position = position
        self._end = end

    def malformed(self, what: str) -> NoReturn:
        raise MalformedMessage(f"{self._full_name}, byte {self._position}: {what}")

    def tag(self) -> int | None:
        """The next tag; `None` at the end."""
        position = self._position
        if position == self._end:
            return None
        tag = self._view[position]
        if 8 <= tag < 0x80:
            # Nearly all have one byte.
            self._position = position + 1
            return tag
        tag = self.varint()
        if not 8 <= tag < 1 << 32:
            self.malformed(f"{tag >> 3} is no number of a field")
        return tag

    def varint(self) -> int:
        """A number of at most 64 bits."""
        view, position = self._view, self._position
        if position < self._end and (byte := view[position]) < 0x80:
            # Most have one byte.
            self._position = position + 1
            return byte
        value = 0
        for shift in range(0, 70, 7):
            if position >= self._end:
                self.malformed("the message ends in a number")
            byte = view[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._position = position
                return value & 0xFFFF_FFFF_FFFF_FFFF
        return self.malformed("a number has more than ten bytes")

    def sized(self, size: int) -> int:
        """The position of a value of so many bytes, behind which reading goes on."""
        position = self._position
        if size > self._end - position:
            self.malformed(f"a value of {size} bytes, with {self._end - position} left")
        self._position = position + size
        return position

    def part(self, full_name: str) -> _Reader:
        """A reader of a value that tells its length."""
        size = self.varint()
        position = self.sized(size)
        return _Reader(full_name, self._view, position, position + size)

    def bytes(self) -> memoryview:
        size = self.varint()
        position = self.sized(size)
        return self._view[position : position + size]

    def text(self, name: str) -> str:
        value = self.bytes()
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            self._position -= len(value)
            self.malformed(f"{name} is no UTF-8: {error.reason}")

    def fixed(self, layout: struct.Struct) -> Any:
        return layout.unpack_from(self._view, self.sized(layout.size))[0]

    def skip(self, tag: int, depth: int = _DEEPEST_GROUP) -> None:
        """Goes behind a value that nobody asked for."""
        wire_type = tag & 7
        if wire_type == _VARINT:
            self.varint()
        elif wire_type == _LENGTH:
            self.bytes()
        elif wire_type == _EIGHT_BYTES:
            self.sized(8)
        elif wire_type == _FOUR_BYTES:
            self.sized(4)
        elif wire_type == _GROUP_START:
            self._skip_group(tag, depth)
        else:
            self.malformed(f"wire type {wire_type} where a value should be")

    def _skip_group(self, start: int, depth: int) -> None:
        if depth == 0:
            self.malformed("too many groups in one another")
        while (tag := self.tag()) is not None:
            if tag & 7 != _GROUP_END:
                self.skip(tag, depth - 1)
            elif tag >> 3 == start >> 3:
                return
            else:
                self.malformed("the end of another group")
        self.malformed("the message ends in a group")


def _read_message(message: Message, reader: _Reader) -> None:
    """Sets the fields that come. A message that is there is merged with, and what is repeated is added to."""
    takers = type(message).TAKERS
    while (tag := reader.tag()) is not None:
        take = takers.get(tag)
        if take is None:
            reader.skip(tag)
        else:
            take(message, reader)


def _taker(field: Field, rivals: tuple[str, ...]) -> Taker:
    """What reads a value of this field.

    Args:
        field: The field.
        rivals: The names of the others in its oneof.
    """
    name = field.name

    def take(message: Message, reader: _Reader) -> None:
        setattr(message, name, read(reader))
        for rival in rivals:
            setattr(message, rival, None)

    def take_part(message: Message, reader: _Reader) -> None:
        present = getattr(message, name)
        setattr(message, name, _read_part(field, reader, present))
        for rival in rivals:
            setattr(message, rival, None)

    def take_repeated(message: Message, reader: _Reader) -> None:
        getattr(message, name).append(read(reader))

    def take_entry(message: Message, reader: _Reader) -> None:
        key, entry = _read_entry(field, reader.part(message.FULL_NAME))
        getattr(message, name)[key] = entry

    if field.kind is Kind.MAP:
        return take_entry
    read = _value_reader(field)
    if field.repeated:
        return take_repeated
    return take_part if field.kind is Kind.MESSAGE else take


def _value_reader(field: Field) -> Callable[[_Reader], Any]:
    """What reads a value of this field's type."""
    kind = field.kind
    readers: dict[Kind, Callable[[_Reader], Any]] = {
        Kind.STRING: lambda reader: reader.text(field.name),
        Kind.BYTES: _Reader.bytes,
        Kind.MESSAGE: lambda reader: _read_part(field, reader, None),
        Kind.UINT64: _Reader.varint,
        Kind.FIXED32: lambda reader: reader.fixed(_FIXED32),
        Kind.DOUBLE: lambda reader: reader.fixed(_DOUBLE),
    }
    return readers.get(kind, lambda reader: _number(field, reader.varint()))


def _read_part(field: Field, reader: _Reader, present: Message | None) -> Message:
    """A message in another one. It is merged with the one that is present."""
    assert field.of is not None  # It is generated so.
    part: Message = field.of() if present is None else present
    _read_message(part, reader.part(part.FULL_NAME))
    return part


def _read_entry(field: Field, reader: _Reader) -> tuple[str, str]:
    """A key of a map and its value."""
    parts = {1: "", 2: ""}
    while (tag := reader.tag()) is not None:
        number = tag >> 3
        if tag & 7 == _LENGTH and number in parts:
            parts[number] = reader.text(field.name)
        else:
            reader.skip(tag)
    return parts[1], parts[2]


def _number(field: Field, number: int) -> int | bool:
    """The value of a field that is written as this number, of which only the bits count that its type has."""
    kind = field.kind
    if kind is Kind.BOOL:
        return number != 0
    if kind is Kind.UINT32:
        return number & 0xFFFF_FFFF
    bits = 64 if kind is Kind.INT64 else 32
    number &= (1 << bits) - 1
    if number >> (bits - 1):
        number -= 1 << bits
    if kind is Kind.ENUM and field.of is not None:
        value: int = field.of._value2member_map_.get(number, number)
        return value
    return number
