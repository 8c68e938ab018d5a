"""Frames of pandas, as they were before they became Arrow."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa


def from_arrow(table: Any) -> Any:
    """A `pandas.DataFrame` with the types and the index that the schema's metadata describes, if a frame was stored."""
    metadata = table.schema.pandas_metadata or {}
    index = [column for column in metadata.get("index_columns", []) if isinstance(column, str)]
    data_columns = [name for name in table.column_names if name not in index]
    # The columns that pandas had in Arrow's own types. Of the names of these types, it understands only some.
    backed = [column for column in metadata.get("columns", []) if column["numpy_type"].endswith("[pyarrow]")]
    backed = [column for column in backed if column.get("field_name") in data_columns]
    if not backed:
        return table.to_pandas()
    import pandas as pd  # noqa: PLC0415 - it takes long, and not everybody has it.

    others = table
    for column in backed:
        column["numpy_type"] = "object"
        position = table.column_names.index(column["field_name"])
        others = others.set_column(position, column["field_name"], pa.nulls(table.num_rows))
    frame = others.replace_schema_metadata({b"pandas": json.dumps(metadata).encode()}).to_pandas()
    for column in backed:
        values = pd.arrays.ArrowExtensionArray(table[column["field_name"]])
        frame.isetitem(data_columns.index(column["field_name"]), pd.Series(values, index=frame.index))
    return frame
