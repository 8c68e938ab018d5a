"""Our codec against a real protobuf library."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from polarway import MalformedMessage
from polarway._generated import messages, methods
from polarway._wire import Bytes, Message, Method, decode, encode, field_of, framed
from real_protobuf import (
    DESCRIPTORS,
    NAMES,
    as_ours,
    class_of,
    is_nan_inside,
    our_class,
    random_message,
    random_messages,
    real_class,
)

# For tests that run with each type of message.
few = settings(max_examples=max(1, settings().max_examples // 10))
every_message = pytest.mark.parametrize("name", NAMES)


def assert_same(decoded: Message, expected: Message) -> None:
    assert is_nan_inside(expected) or decoded == expected


def test_there_is_a_class_for_every_message_and_no_other() -> None:
    classes = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)]
    assert sorted(kind.FULL_NAME for kind in classes if kind is not Message) == sorted(NAMES)


def test_enums_have_the_values_of_the_protocol() -> None:
    for file in DESCRIPTORS.file:
        for defined in file.enum_type:
            ours: type[enum.IntEnum] = getattr(messages, defined.name)
            assert [value.value for value in ours] == [value.number for value in defined.value]


def test_there_is_every_method_with_its_path_and_its_types() -> None:
    ours = {method.path: method for method in vars(methods).values() if isinstance(method, Method)}
    defined = {
        f"/{file.package}.{service.name}/{method.name}": method
        for file in DESCRIPTORS.file
        for service in file.service
        for method in service.method
    }
    assert ours.keys() == defined.keys()
    for path, method in ours.items():
        assert defined[path].input_type == f".{method.request.FULL_NAME}"
        assert defined[path].output_type == f".{method.response.FULL_NAME}"
        assert method.client_streaming == defined[path].client_streaming
        assert method.server_streaming == defined[path].server_streaming


@every_message
@few
@given(data=st.data())
def test_what_protobuf_writes_is_read(name: str, data: st.DataObject) -> None:
    real = data.draw(random_message(name))
    assert_same(decode(our_class(name), real.SerializeToString()), as_ours(real))


@every_message
@few
@given(data=st.data())
def test_what_is_written_is_read_by_protobuf(name: str, data: st.DataObject) -> None:
    real = data.draw(random_message(name))
    read = real_class(name).FromString(encode(as_ours(real)))
    assert read.SerializeToString(deterministic=True) == real.SerializeToString(deterministic=True)


def test_a_number_that_is_none_is_read_and_written() -> None:
    message = decode(messages.GetCacheStatsResponse, encode(messages.GetCacheStatsResponse(hit_rate=math.nan)))
    assert math.isnan(message.hit_rate)


@given(pair=st.sampled_from(NAMES).flatmap(lambda name: st.tuples(random_message(name), random_message(name))))
def test_a_message_behind_another_is_merged_into_it(pair: tuple[Any, Any]) -> None:
    first, second = pair
    joined = first.SerializeToString() + second.SerializeToString()
    merged = real_class(first.DESCRIPTOR.full_name).FromString(joined)
    assert_same(decode(class_of(first), joined), as_ours(merged))


# Fields with numbers that no message has, of each wire type.
UNKNOWN_FIELDS = [
    b"\xc0\x3e\x05",
    b"\xc1\x3e12345678",
    b"\xc2\x3e\x03abc",
    b"\xc5\x3e1234",
    b"\xc3\x3e\xc0\x3e\x05\xc3\x3e\xc4\x3e\xc4\x3e",
    b"\xc3\x3e\x0a\x01a\xc4\x3e",
]


@given(real=random_messages(), before=st.sampled_from(UNKNOWN_FIELDS), behind=st.sampled_from(UNKNOWN_FIELDS))
def test_unknown_fields_are_skipped(real: Any, before: bytes, behind: bytes) -> None:
    assert_same(decode(class_of(real), before + real.SerializeToString() + behind), as_ours(real))


def test_a_known_field_of_another_wire_type_is_skipped() -> None:
    assert decode(messages.Chunk, b"\x08\x07\x12\x01a\x18\x05") == messages.Chunk(rows=5)


@given(real=random_messages(), data=st.data())
def test_a_truncated_message_is_read_or_refused_as_by_protobuf(real: Any, data: st.DataObject) -> None:
    whole = real.SerializeToString()
    assert_as_protobuf(real.DESCRIPTOR.full_name, whole[: data.draw(st.integers(0, len(whole)))])


@given(real=random_messages(), data=st.data())
def test_a_damaged_message_is_read_or_refused_as_by_protobuf(real: Any, data: st.DataObject) -> None:
    damaged = bytearray(real.SerializeToString() or b"\0")
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert_as_protobuf(real.DESCRIPTOR.full_name, bytes(damaged))


@given(name=st.sampled_from(NAMES), noise=st.binary(max_size=60))
def test_noise_is_read_or_refused_as_by_protobuf(name: str, noise: bytes) -> None:
    assert_as_protobuf(name, noise)


def assert_as_protobuf(name: str, data: bytes) -> None:
    real: Any
    try:
        real = real_class(name).FromString(data)
    except DecodeError:
        real = None
    if real is None:
        package = r"(polarway\.v1|google\.(rpc|protobuf)|grpc\.health\.v1)"
        with pytest.raises(MalformedMessage, match=rf"^{package}\.\w+, byte \d+: "):
            decode(our_class(name), data)
        return
    try:
        ours = decode(our_class(name), data)
    except MalformedMessage as error:
        # In a message without fields the library passes over a field of number 0, which protobuf does not allow.
        if our_class(name).FIELDS or "0 is no number of a field" not in str(error):
            raise
    else:
        assert_same(ours, as_ours(real))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x0a\xff\xff\xff\xff\x7f", "a value of 34359738367 bytes, with 0 left"),
        (b"\x0a\x05ab", "a value of 5 bytes, with 2 left"),
        (b"\x12\x80", "the message ends in a number"),
        (b"\x10" + b"\xff" * 11, "a number has more than ten bytes"),
        (b"\x00\x01", "0 is no number of a field"),
        (b"\x0e", "wire type 6"),
        (b"\x0c", "wire type 4"),
        (b"\xc3\x3e\xcc\x3e", "the end of another group"),
        (b"\xc3\x3e" * 200, "too many groups"),
        (b"\xc1\x3e1234", "a value of 8 bytes, with 4 left"),
    ],
)
def test_malformed_bytes_are_refused_with_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(MalformedMessage, match=says):
        decode(messages.Chunk, data)


def test_a_text_that_is_no_utf_8_is_refused_by_its_field() -> None:
    with pytest.raises(MalformedMessage, match=r"polarway\.v1\.LoadRequest, byte 2: name is no UTF-8"):
        decode(messages.LoadRequest, b"\x0a\x01\xff")


def test_the_bytes_of_a_chunk_are_a_view_into_the_message() -> None:
    data = encode(messages.LoadResponse(chunk=messages.Chunk(ipc=bytes(1_000_000), rows=7)))
    chunk = decode(messages.LoadResponse, data).chunk
    assert chunk is not None
    assert isinstance(chunk.ipc, memoryview)
    assert chunk.ipc.obj is data
    assert chunk.ipc.nbytes == 1_000_000
    assert chunk.rows == 7


def test_bytes_are_written_from_any_buffer_and_messages_are_read_from_any() -> None:
    numbers = memoryview(b"12345678").cast("I")
    message = memoryview(encode(messages.Chunk(ipc=b"12345", rows=1)) + b"\x18\x07").cast("b")
    assert decode(messages.Chunk, message) == messages.Chunk(ipc=b"12345", rows=7)
    assert decode(messages.Chunk, encode(messages.Chunk(ipc=numbers))) == messages.Chunk(ipc=b"12345678")


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (messages.LoadRequest(first_row=-1), "LoadRequest.first_row: -1 is out of range"),
        (messages.LoadRequest(end_row=2**64), f"LoadRequest.end_row: {2**64} is out of range"),
        (messages.StoreTrailer(crc32=2**32), "StoreTrailer.crc32: 4294967296 is out of range"),
        (messages.Failure(code=2**31), "Failure.code: 2147483648 is out of range"),
        (messages.At(version=1, as_of_us=2), "At: version is set together with another of at"),
        (messages.LoadRequest(name="\ud800"), "LoadRequest.name: the text is no Unicode"),
        (messages.Failure(metadata={"\ud800": ""}), "Failure.metadata: the text is no Unicode"),
    ],
)
def test_a_value_that_cannot_be_written_is_refused_by_its_field(message: Message, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        encode(message)


def test_the_value_of_an_enum_that_is_unknown_stays_a_number() -> None:
    assert decode(messages.Version, b"\x10\x63").kind == 99
    assert decode(messages.Version, b"\x10\x02").kind is messages.VersionKind.OVERWRITE


def test_a_message_whose_bytes_are_in_pieces_is_the_same() -> None:
    ipc: list[Bytes] = [b"one", memoryview(b"two"), b"", b"x" * 300]
    place = encode(messages.Chunk(first_row=7, rows=1 << 40))
    chunk = framed(field_of(messages.StoreRequest, "chunk"), [*framed(field_of(messages.Chunk, "ipc"), ipc), place])
    whole = messages.StoreRequest(chunk=messages.Chunk(ipc=b"".join(ipc), first_row=7, rows=1 << 40))
    assert b"".join(chunk) == encode(whole)
