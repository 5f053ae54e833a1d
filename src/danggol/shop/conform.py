"""Cast what is written to a table's schema, or say which value does not fit."""

from __future__ import annotations

from typing import Any, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from danggol.errors import DataError
from danggol.shop.schemas import Column, Schema

Data: TypeAlias = pl.DataFrame | pa.Table | pa.RecordBatch


def conform(data: Data, schema: Schema) -> pa.Table:
    """The rows of ``data`` with the columns and types of ``schema``.

    Optional columns that are missing become null; further columns are kept in open tables and refused elsewhere.
    DataError names the table, column, row and value that do not fit.
    """
    table = _table(data)
    names = table.column_names
    known = {column.name for column in schema.columns}
    extra = [name for name in names if name not in known]
    if extra and not schema.open:
        columns = ", ".join(column.name for column in schema.columns)
        raise DataError(f"table '{schema.name}' has no column '{extra[0]}'; its columns are {columns}")
    for name in schema.required:
        if name not in names:
            raise DataError(f"table '{schema.name}' needs the column '{name}', which is missing")
    fields: list[pa.Field] = []
    arrays: list[pa.ChunkedArray] = []
    for column in schema.columns:
        there = column.name in names
        array = _cast(table[column.name], column, schema.name) if there else pa.nulls(table.num_rows, column.arrow)
        fields.append(pa.field(column.name, column.arrow))
        arrays.append(array)
    for name in extra:
        array = _plain(table[name])
        fields.append(pa.field(name, array.type))
        arrays.append(array)
    return pa.table(arrays, schema=pa.schema(fields))


def _table(data: Data) -> pa.Table:
    if isinstance(data, pl.DataFrame):
        return data.to_arrow()
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data
    raise TypeError(f"a polars DataFrame, Arrow table or record batch is needed, not {type(data).__name__}")


def _plain(array: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bring the types of other libraries (views, large strings, dictionaries) down to the plain ones."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    return array if kind == array.type else array.cast(kind)


def _cast(array: pa.ChunkedArray, column: Column, table: str) -> pa.ChunkedArray:
    if array.type == column.arrow:
        return array
    if pa.types.is_struct(array.type) and pa.types.is_map(column.arrow):
        array = _struct_to_map(array, column.arrow)
    if pa.types.is_timestamp(array.type) and column.type == "timestamp" and array.type.tz is None:
        raise DataError(
            f"table '{table}', column '{column.name}': the times have no time zone; give them one (times are UTC)"
        )
    try:
        if column.type == "timestamp" and pa.types.is_timestamp(array.type):
            return array.cast(column.arrow, safe=False)
        return array.cast(column.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        row, value = _first_misfit(array, column)
        unit = f" ({column.unit})" if column.unit else ""
        raise DataError(
            f"table '{table}', column '{column.name}', row {row}: {value!r} is not a {column.type}{unit}"
        ) from error


def _struct_to_map(array: pa.ChunkedArray, kind: pa.MapType) -> pa.ChunkedArray:
    """Records of named values, as frames hold dictionaries, as a map of those that are filled."""
    rows = [
        None if row is None else [(name, value) for name, value in row.items() if value is not None]
        for row in array.to_pylist()
    ]
    text = pa.types.is_string(kind.item_type)
    filled = [None if row is None else [(k, str(v) if text else v) for k, v in row] for row in rows]
    return pa.chunked_array([pa.array(filled, kind)])


def _first_misfit(array: pa.ChunkedArray, column: Column) -> tuple[int, Any]:
    """The row (from 1) and value at which the cast first fails, found by halving."""
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(array.slice(low, middle - low), column):
            low = middle
        else:
            high = middle
    return low + 1, array[low].as_py() if len(array) else None


def _fits(array: pa.ChunkedArray, column: Column) -> bool:
    try:
        pc.cast(array, column.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True
