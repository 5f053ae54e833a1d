"""Where queries run: DuckDB over Parquet files, behind a protocol that a cluster can stand behind later."""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa

from danggol.errors import DataError, UsageError
from danggol.shop.rules import literal, quote
from danggol.shop.schemas import SCHEMAS, Column

Relation: TypeAlias = "Sequence[Path] | pa.Table | pl.DataFrame"
"""What a name in a query stands for: Parquet files, or a table in memory."""

BatchFunction: TypeAlias = "Callable[[Iterator[pa.RecordBatch], str], Iterator[pa.RecordBatch]]"
"""From Arrow batches and a model's path to Arrow batches, as Spark's ``mapInArrow`` calls it."""

SQL_TYPES = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "double": "DOUBLE",
    "int64": "BIGINT",
    "bool": "BOOLEAN",
    "list": "VARCHAR[]",
    "map": "MAP(VARCHAR, VARCHAR)",
    "numbers": "MAP(VARCHAR, DOUBLE)",
}


class Engine(Protocol):
    """Runs SQL in DuckDB's dialect over named relations, and functions over batches."""

    def query(self, sql: str, relations: Mapping[str, Relation], params: Mapping[str, Any] | None = None) -> pa.Table:
        """Run one statement and return all its rows."""

    def stream(
        self,
        sql: str,
        relations: Mapping[str, Relation],
        params: Mapping[str, Any] | None = None,
        size: int = 100_000,
    ) -> Iterator[pa.RecordBatch]:
        """Run one statement and yield its rows in batches of about ``size``."""

    def map_batches(
        self, batches: Iterable[pa.RecordBatch], function: str, model: str, workers: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Apply ``function`` (``package.module:name``) with the path of a saved model to each batch, order kept."""


class DuckDBEngine:
    """DuckDB in this process; ``memory`` bounds its buffers (beyond it, it spills to ``spill``)."""

    def __init__(self, memory: str | None = None, threads: int | None = None, spill: Path | None = None) -> None:
        self.memory = memory or os.environ.get("DANGGOL_MEMORY", "1GB")
        self.threads = threads
        self.spill = spill

    def query(self, sql: str, relations: Mapping[str, Relation], params: Mapping[str, Any] | None = None) -> pa.Table:
        """Run one statement and return all its rows; DataError with DuckDB's first line where it fails."""
        with self._connect(sql, relations) as connection:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)
                    return connection.execute(sql, dict(params or {})).to_arrow_table()
            except duckdb.Error as error:
                raise explain(error) from error

    def stream(
        self,
        sql: str,
        relations: Mapping[str, Relation],
        params: Mapping[str, Any] | None = None,
        size: int = 100_000,
    ) -> Iterator[pa.RecordBatch]:
        """Run one statement and yield its rows in batches of about ``size``."""
        with self._connect(sql, relations) as connection:
            try:
                # execute() would hold the whole result before the first batch; sql() streams it
                yield from connection.sql(sql, params=dict(params or {})).to_arrow_reader(size)
            except duckdb.Error as error:
                raise explain(error) from error

    def map_batches(
        self, batches: Iterable[pa.RecordBatch], function: str, model: str, workers: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Apply an importable function to each batch on a pool of threads; results come in the order of the batches."""
        call = importable(function)
        width = workers or min(8, os.cpu_count() or 1)

        def one(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
            return list(call(iter([batch]), model))

        waiting: deque[Future[list[pa.RecordBatch]]] = deque()
        with ThreadPoolExecutor(width) as pool:
            for batch in batches:
                waiting.append(pool.submit(one, batch))
                if len(waiting) > width:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own, with bounded memory, in UTC; close it after use."""
        config: dict[str, Any] = {"memory_limit": self.memory, "autoinstall_known_extensions": "false"}
        if self.threads:
            config["threads"] = self.threads
        if self.spill is not None:
            config["temp_directory"] = str(self.spill)
        connection = duckdb.connect(config=config)
        connection.execute("SET TimeZone = 'UTC'")
        # Progress is ours to report; DuckDB's own bar would draw over it and into pipes.
        connection.execute("SET enable_progress_bar = false")
        return connection

    def _connect(self, sql: str, relations: Mapping[str, Relation]) -> duckdb.DuckDBPyConnection:
        connection = self.connect()
        words = set(re.findall(r"\w+", sql))
        for name, relation in relations.items():
            if name not in words:
                continue
            try:
                _define(connection, name, relation)
            except duckdb.Error as error:
                raise DataError(f"table '{name}' cannot be read: {first_line(error)}") from error
        return connection


def importable(function: str) -> BatchFunction:
    """The function named ``package.module:name`` (UsageError where there is none)."""
    module, _, name = function.partition(":")
    try:
        found: BatchFunction = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"'{function}' is not an importable function of the form package.module:name") from error
    return found


def _define(connection: duckdb.DuckDBPyConnection, name: str, relation: Relation) -> None:
    """Make ``name`` a view whose known columns are all there, typed."""
    if isinstance(relation, pl.DataFrame | pa.Table):
        connection.register(name, relation.to_arrow() if isinstance(relation, pl.DataFrame) else relation)
        return
    schema = SCHEMAS.get(name)
    if not relation:
        columns = schema.columns if schema else ()
        connection.execute(f"CREATE VIEW {quote(name)} AS SELECT {_nulls(columns)} WHERE false")
        return
    source = f"read_parquet([{', '.join(map(file_literal, relation))}], union_by_name = true)"
    there = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    missing = [column for column in schema.columns if column.name not in there] if schema else []
    extra = f", {_nulls(missing)}" if missing else ""
    connection.execute(f"CREATE VIEW {quote(name)} AS SELECT *{extra} FROM {source}")


def _nulls(columns: Iterable[Column]) -> str:
    return ", ".join(f"NULL::{SQL_TYPES[c.type]} AS {quote(c.name)}" for c in columns) or "NULL AS nothing"


def file_literal(path: Path) -> str:
    """A file's path in SQL; signs that would stand for other files (``*?[``) are meant as they are."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return str(error).strip().splitlines()[0]


def explain(error: duckdb.Error) -> DataError:
    """What a failed query is reported as."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return DataError(
            "the query needs more memory than allowed; set DANGGOL_MEMORY higher, such as DANGGOL_MEMORY=4GB"
        )
    return DataError(f"the query failed: {first_line(error)}")
