"""Every type of Arrow, stored and loaded: `types.json` says what comes of it, for the page about types."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polarway import DistributedClient, PolarwayError
from scenario_tables import array, type_of

FILE = Path(__file__).parents[1] / "types.json"
CASES = Path(__file__).parents[3] / "proto" / "cases" / "scenarios"

_DAY = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)

# Those that no scenario has, by the names that it would give them.
OTHERS: dict[str, tuple[Any, list[Any]]] = {
    "null": (pa.null(), [None, None]),
    "float16": (pa.float16(), [np.float16(1.5), None]),
    "decimal32(9, 2)": (pa.decimal32(9, 2), [Decimal("1234567.89"), None]),
    "decimal64(18, 2)": (pa.decimal64(18, 2), [Decimal("1234567.89"), None]),
    "decimal128(9, -2)": (pa.decimal128(9, -2), [Decimal(100), None]),
    "binary_view": (pa.binary_view(), [b"\x00\xff", None]),
    "fixed_size_binary(0)": (pa.binary(0), [b"", None]),
    "date64": (pa.date64(), [_DAY.date(), None]),
    "time32[ms]": (pa.time32("ms"), [datetime.time(23, 59, 59, 999000), None]),
    "time64[ns]": (pa.time64("ns"), [datetime.time(23, 59, 59, 999999), None]),
    "timestamp[ms]": (pa.timestamp("ms"), [_DAY.replace(tzinfo=None), None]),
    "timestamp[ns, Europe/Berlin]": (pa.timestamp("ns", "Europe/Berlin"), [_DAY, None]),
    "timestamp[us, +05:30]": (pa.timestamp("us", "+05:30"), [_DAY, None]),
    "duration[s]": (pa.duration("s"), [1, None]),
    "duration[us]": (pa.duration("us"), [1, None]),
    "duration[ns]": (pa.duration("ns"), [1, None]),
    "interval[month_day_nano]": (pa.month_day_nano_interval(), [(1, 2, 3), None]),
    '{"large_list":"int32"}': (pa.large_list(pa.int32()), [[1, None], [], None]),
    '{"list_view":"int32"}': (pa.list_view(pa.int32()), [[1, None], [], None]),
    '{"large_list_view":"int32"}': (pa.large_list_view(pa.int32()), [[1, None], [], None]),
    '{"struct":[]}': (pa.struct([]), [{}, None]),
    '{"dictionary":{"keys":"int64","values":"int32"}}': (pa.dictionary(pa.int64(), pa.int32()), [7, None]),
    '{"dictionary":{"keys":"uint8","values":"large_utf8"}}': (
        pa.dictionary(pa.uint8(), pa.large_string()),
        ["a", None],
    ),
    '{"dictionary":{"keys":"int8","values":"bool"}}': (pa.dictionary(pa.int8(), pa.bool_()), [True, None]),
}


def columns() -> Iterator[tuple[str, Any]]:
    """The name of each type, and a column of it."""
    for file in ("types", "shapes"):
        for scenario in json.loads((CASES / f"{file}.json").read_text(encoding="utf-8"))["scenarios"]:
            for table in scenario.get("tables", {}).values():
                for column in table.get("columns", ()):
                    yield _name(column["type"]), array(type_of(column["type"]), column["values"])
    for name, (kind, values) in OTHERS.items():
        yield name, _column(kind, values)
    values = pa.array(["a", "a", "b"])
    ends = pa.array([1, 2, 3], pa.int32())
    yield '{"run_end_encoded":{"run_ends":"int32","values":"utf8"}}', pa.RunEndEncodedArray.from_arrays(ends, values)
    kinds, offsets = pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32())
    members = [pa.array([1]), pa.array(["a"])]
    fields = '[{"name":"0","type":"int64"},{"name":"1","type":"utf8"}]'
    yield f'{{"dense_union":{fields}}}', pa.UnionArray.from_dense(kinds, offsets, members)
    members = [pa.array([1, None]), pa.array([None, "a"])]
    yield f'{{"sparse_union":{fields}}}', pa.UnionArray.from_sparse(kinds, members)


def _name(type_: Any) -> str:
    return type_ if isinstance(type_, str) else json.dumps(type_, separators=(",", ":"))


def _column(kind: Any, values: list[Any]) -> Any:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def outcome(client: DistributedClient, column: Any) -> str:
    """What comes of a column that is stored and loaded, as Arrow."""
    stored = pa.table({"c": column})
    try:
        client.store("types", stored)
        loaded = client.load("types", as_="arrow")
    except PolarwayError as error:
        return f"refused: {error}"
    # By their texts, since NaN is not equal to itself.
    assert repr(loaded["c"].to_pylist()) == repr(stored["c"].to_pylist())
    return "same" if loaded["c"].type == stored["c"].type else f"as {loaded['c'].type}"


def test_what_comes_of_each_type_is_as_the_page_says(address: str) -> None:
    with DistributedClient(address) as client:
        outcomes = {name: outcome(client, column) for name, column in columns()}
        client.delete("types")
    assert all("\n" not in line for line in outcomes.values())
    text = json.dumps({"store_and_load": dict(sorted(outcomes.items()))}, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "UPDATE_DOCS=1 writes what came of them"
