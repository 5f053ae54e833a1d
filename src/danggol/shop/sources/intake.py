"""One import under way: where an importer puts the rows it could use, and those it could not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from danggol import progress
from danggol.errors import DataError
from danggol.shop.engine import DuckDBEngine, Relation
from danggol.shop.run import Run
from danggol.shop.schemas import SCHEMAS
from danggol.shop.sources.reading.delimited import RECORD_LIMIT, REJECTS, Delimited

Mode = Literal["refuse", "replace", "append"]

MEMORY = "300MB"
"""What DuckDB may hold while it finds duplicates and sums rows up; beyond it, it spills to the shop's disk."""

STAGES = ("begun", "first rows", "rows staged", "first table filled", "filled")
"""The points of an import, in order; tests stop a process at each."""

_on_stage: Callable[[str], None] = lambda _: None  # noqa: E731


class Intake:
    """What an importer writes through.

    Rows are staged as they stream in (:meth:`stage`), then tables are filled from SQL over what is staged
    (:meth:`fill`, :meth:`derive`), so that duplicates are found and sums are made without holding the file in memory.
    Every row received is either kept or rejected; :func:`danggol.shop.sources.import_source` insists on it.
    """

    def __init__(self, run: Run, source: str, mode: Mode) -> None:
        self.run, self.source, self.mode = run, source, mode
        self.received = 0
        self.kept = 0
        self.rejected: Counter[str] = Counter()
        self.flaws: Counter[str] = Counter()
        self.tables: dict[str, int] = {}
        self.notes: list[str] = []
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._staged: dict[str, _Stage] = {}
        self._engine = DuckDBEngine(MEMORY, threads=1, spill=run.folder / "spill")
        self._reached: set[str] = set()
        self._reach("begun")

    def receive(self, rows: int, *, kept: int = 0) -> None:
        """Count rows of the file; ``kept`` of them are used whatever the tables hold already."""
        self.received += rows
        self.kept += kept
        self._reach("first rows")

    def reject(self, rejects: pl.DataFrame, *, flaw: bool = False) -> None:
        """Put rows (columns of REJECTS) into the rejects table.

        A ``flaw`` is a part of a row that could not be used, such as a broken picture of a product that is kept.
        """
        if not rejects.height:
            return
        counter = self.flaws if flaw else self.rejected
        for code, count in rejects.group_by("reason_code").len().iter_rows():
            counter[code] += count
        frame = rejects.select(pl.lit(self.source).alias("source"), *REJECTS, run_id=pl.lit(self.run.id))
        self.run.writer("rejects", append=True).add(frame)

    def note(self, text: str) -> None:
        """Something the user should hear when the import is done: one sentence."""
        self.notes.append(text)

    def note_unused(self, file: str, columns: Sequence[str]) -> None:
        """Say which columns of a file are not used, if any."""
        if columns:
            self.note(f"{file}: not used: {', '.join(columns[:8])}{' ...' if len(columns) > 8 else ''}.")

    def batches(self, file: Delimited) -> Iterator[pl.DataFrame]:
        """The rows of a delimited file in batches: counted, those that are no rows rejected, progress shown."""
        with progress.stage(f"reading {file.text.name}") as stage:
            for batch in file.batches():
                self.receive(batch.rows.height + batch.rejects.height)
                self.reject(batch.rejects)
                stage.advance(batch.rows.height + batch.rejects.height)
                yield batch.rows
        if not file.text.encoding.startswith("utf"):
            self.note(f"{file.text.name} was read as {file.text.encoding}; name its encoding if letters look wrong.")
        if file.blank:
            self.note(f"{file.text.name} has {file.blank:,} blank lines, which are no rows.")

    def stage(self, name: str, rows: pl.DataFrame) -> None:
        """Set rows aside under a name that :meth:`fill`, :meth:`derive` and :meth:`sql` may ask for."""
        if name in SCHEMAS:
            raise ValueError(f"'{name}' is a table of the shop; stage under another name")
        if name not in self._staged:
            self._staged[name] = _Stage(self.run.folder / "intake" / f"{name}.parquet")
        self._staged[name].add(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))

    def sql(self, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """A small answer about what is staged."""
        return pl.DataFrame(self._engine.query(sql, self._relations(sql), params))

    def fill(self, table: str, select: str, *, unique: bool = False, count: bool = True) -> int:
        """Fill a table with rows that stand for one row of a file each; how many were written.

        ``select`` yields columns of the table and ``file``, ``row`` of the source (and ``record``, JSON, to show in a
        reject). Of rows with the same key the first is kept, and the others rejected as ``duplicate_key``, as are those
        whose key an appended table has already. ``unique`` says that no key stands twice within the file.
        ``count``: the rows written count as kept.
        """
        self._reach("rows staged")
        key = SCHEMAS[table].key
        repeats = None if unique else self._later(select, key)
        there, later, joins = "false", "false", ""
        if self.adds_to(table):
            there = "old.there IS NOT NULL"
            joins += f" LEFT JOIN (SELECT DISTINCT {_names(key)}, true AS there FROM {table}) old ON {_same(key)}"
        if repeats is not None and repeats.num_rows:
            later = 'later."row" IS NOT NULL'
            joins += ' LEFT JOIN later ON later.file = new.file AND later."row" = new."row"'
        marks = f"{there} AS __there__, {later} AS __later__"
        query = f"WITH new AS ({select}) SELECT new.*, {marks} FROM new {joins}"
        written = 0
        relations = self._relations(query) | {"later": repeats if repeats is not None else []}
        for batch in self._engine.stream(query, relations, size=50_000):
            written += self._part(table, pl.DataFrame(batch), key)
        self._done(table, written)
        self.kept += written if count else 0
        return written

    def derive(self, table: str, select: str) -> int:
        """Fill a table with rows that each sum up rows of the file, such as products; how many were written.

        Rows of an appended table stay as they are where the key is there already.
        """
        self._reach("rows staged")
        key = SCHEMAS[table].key
        query = f"WITH new AS ({select}) SELECT new.* FROM new"
        if self.adds_to(table):
            query += f" WHERE NOT EXISTS (SELECT 1 FROM {table} old WHERE {_same(key)})"
        query += f" ORDER BY {_names(key)}"
        writer = self._writer(table)
        written = 0
        for batch in self._engine.stream(query, self._relations(query), size=50_000):
            rows = pl.DataFrame(batch)
            self._seen(rows)
            written += writer.add(rows)
        self._done(table, written)
        return written

    def merge(self, table: str, select: str) -> int:
        """Like :meth:`derive`, but rows of an appended table are completed; how many rows are new or were completed.

        Where both have a value, the new one stands. Rows of open tables, such as sessions, stay as they are.
        """
        if not self.adds_to(table) or SCHEMAS[table].open:
            return self.derive(table, select)
        self._reach("rows staged")
        schema = SCHEMAS[table]
        both = ", ".join(f'coalesce(new."{c.name}", old."{c.name}") AS "{c.name}"' for c in schema.columns)
        query = (
            f"WITH new AS (SELECT *, true AS here FROM ({select})) SELECT {both}, new.here AS __here__ "
            f"FROM new FULL JOIN {table} old ON {_same(schema.key)} ORDER BY {_names(schema.key)}"
        )
        writer, written = self.run.writer(table), 0
        for batch in self._engine.stream(query, self._relations(query), size=50_000):
            rows = pl.DataFrame(batch)
            written += int(rows["__here__"].sum())
            self._seen(rows.filter("__here__"))
            writer.add(rows.drop("__here__"))
        self._done(table, written)
        return written

    def adds_to(self, table: str) -> bool:
        """Whether the new rows of a table come to rows that are there, which SQL then sees under the table's name."""
        return self.mode == "append" and self.run.shop.has(table)

    def finish(self) -> None:
        """See that every table the importer opened is complete; called before the run publishes."""
        self._reach("filled")

    def _later(self, select: str, key: tuple[str, ...]) -> pa.Table:
        """The rows (file, row) whose key an earlier row has: first narrowed down by hash, which takes little memory."""
        new, relations = f"WITH new AS ({select}) ", self._relations(select)
        shared = self._engine.query(
            f"{new} SELECT hash({_names(key)}) AS hashed FROM new GROUP BY hashed HAVING count(*) > 1", relations
        )
        return self._engine.query(
            f"""{new} SELECT file, "row" FROM new WHERE hash({_names(key)}) IN (SELECT hashed FROM shared)
            QUALIFY row_number() OVER (PARTITION BY {_names(key)} ORDER BY file, "row") > 1""",
            {**relations, "shared": shared},
        )

    def _part(self, table: str, rows: pl.DataFrame, key: tuple[str, ...]) -> int:
        taken = pl.col("__there__") | pl.col("__later__")
        twice = rows.filter(taken)
        if twice.height:
            record = pl.col("record") if "record" in rows.columns else pl.struct(key).struct.json_encode()
            reason = (
                pl.when(pl.col("__there__"))
                .then(pl.lit(f"the shop's {table} have this {' and '.join(key)} already"))
                .otherwise(pl.lit(f"an earlier row has the same {' and '.join(key)}"))
            )
            self.reject(
                twice.select(
                    "file",
                    pl.col("row").cast(pl.Int64),
                    pl.lit("duplicate_key").alias("reason_code"),
                    pl.lit(key[0]).alias("column"),
                    reason.alias("reason"),
                    record.str.slice(0, RECORD_LIMIT).alias("record"),
                )
            )
        kept = rows.filter(~taken).drop("file", "row", "record", "__later__", "__there__", strict=False)
        self._seen(kept)
        return int(self._writer(table).add(kept))

    def _writer(self, table: str) -> Any:
        return self.run.writer(table, append=self.mode == "append")

    def _relations(self, sql: str) -> dict[str, Relation]:
        relations = dict(self.run.shop.relations(sql))
        for name, staged in self._staged.items():
            relations[name] = [staged.close()]
        return relations

    def _seen(self, rows: pl.DataFrame) -> None:
        if "ts" in rows.columns and rows.height:
            low, high = rows["ts"].min(), rows["ts"].max()
            if isinstance(low, datetime) and isinstance(high, datetime):
                self.first = low if self.first is None else min(self.first, low)
                self.last = high if self.last is None else max(self.last, high)

    def _done(self, table: str, written: int) -> None:
        self.tables[table] = self.tables.get(table, 0) + written
        self._reach("first table filled")

    def _reach(self, stage: str) -> None:
        if stage not in self._reached:
            self._reached.add(stage)
            _on_stage(stage)


class _Stage:
    """Rows set aside in one Parquet file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.file: pq.ParquetWriter | None = None
        self.schema: pa.Schema | None = None

    def add(self, rows: pa.Table) -> None:
        if self.schema is None:
            self.schema = rows.schema
            self.file = pq.ParquetWriter(self.path, self.schema, compression="lz4")
        if self.file is None:
            raise DataError(f"rows came to {self.path.stem} after it was read")
        self.file.write_table(rows)

    def close(self) -> Path:
        if self.file is not None:
            self.file.close()
            self.file = None
        return self.path


def _names(key: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in key)


def _same(key: tuple[str, ...]) -> str:
    return " AND ".join(f'new."{name}" IS NOT DISTINCT FROM old."{name}"' for name in key)
