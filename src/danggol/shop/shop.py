"""The shop: a folder that holds tables, which anyone can read with any tool."""

from __future__ import annotations

import errno
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import field_validator

from danggol.errors import DataError, UsageError
from danggol.settings import Settings
from danggol.shop.codes import CURRENCIES, LANGUAGES
from danggol.shop.engine import DuckDBEngine, Engine, Relation
from danggol.shop.run import Rows, Run, inside, schema_of
from danggol.shop.schemas import SCHEMAS
from danggol.shop.versions import SPILL, Versions, write_text

if TYPE_CHECKING:
    from danggol.shop.checks import Violation
    from danggol.shop.doctor import Answer
    from danggol.shop.forget import ForgetReport

FORMAT = 1

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class ShopConfig(Settings):
    """What ``shop.toml`` holds: the local time zone, the reporting currency and the languages of the shop."""

    timezone: str = "UTC"
    currency: str = "USD"
    languages: tuple[str, ...] = ("en",)
    name: str = ""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("not a time zone such as Asia/Seoul") from error
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value not in CURRENCIES:
            raise ValueError("not an ISO 4217 currency such as KRW")
        return value

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for language in value:
            if language not in LANGUAGES:
                raise ValueError(f"'{language}' is not an ISO 639-1 language such as ko")
        return value


@dataclass(frozen=True)
class TableInfo:
    """A table that exists: its version, rows, and size in bytes."""

    name: str
    version: str
    rows: int
    bytes: int
    files: tuple[Path, ...]


class Shop:
    """A place that holds tables; open with :meth:`open`, make with :meth:`create`."""

    def __init__(self, path: Path, config: ShopConfig, engine: Engine | None = None, wait_s: float = 30.0) -> None:
        self.path, self.config, self.wait_s = path, config, wait_s
        self.versions = Versions(path)
        self.engine: Engine = engine or DuckDBEngine(spill=path / ".staged" / SPILL)
        self._running = False

    @classmethod
    def create(cls, path: str | Path, **config: Any) -> Self:
        """Make a new shop in an empty or absent folder; ``config``: timezone, currency, languages, name."""
        root = Path(path)
        if (root / "shop.toml").exists():
            raise UsageError(f"there is a shop in {root} already; open it, or choose another folder")
        if root.exists() and not root.is_dir():
            raise UsageError(f"{root} is a file; a shop is a folder")
        if root.is_dir() and any(root.iterdir()):
            raise UsageError(f"the folder {root} is not empty and holds no shop; choose another folder")
        settings = ShopConfig.of(config)
        try:
            _write_config(root, settings)
        except OSError as error:
            raise UsageError(f"a shop cannot be made in {root}: {error.strerror}") from error
        return cls(root, settings)

    @classmethod
    def open(cls, path: str | Path, *, create: bool = False, wait_s: float = 30.0) -> Self:
        """Open the shop in a folder; writers wait ``wait_s`` seconds for one another."""
        if str(path).startswith("spark:"):
            raise UsageError("shops on Spark come in a later version; give a folder")
        root = Path(path)
        try:
            text = (root / "shop.toml").read_text("utf8", errors="replace")
        except (FileNotFoundError, NotADirectoryError) as error:
            if create:
                return cls.create(root)
            raise UsageError(
                f"there is no shop in {root}; make one with 'danggol import' or 'danggol simulate', or check the path"
            ) from error
        except OSError as error:
            raise UsageError(f"{root / 'shop.toml'} cannot be read: {error.strerror}") from error
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"{root / 'shop.toml'} is not valid TOML: {error}; put it right") from error
        made = values.pop("format", FORMAT)
        if not isinstance(made, int):
            raise DataError(f"{root / 'shop.toml'} has the format {made!r}; write format = {FORMAT}")
        if made > FORMAT:
            raise DataError(f"the shop {root} was made by a newer danggol; install that version to open it")
        shop = cls(root, ShopConfig.of(values), wait_s=wait_s)
        shop.versions.settle()
        return shop

    def configure(self, **changes: Any) -> None:
        """Change what ``shop.toml`` holds."""
        self.config = ShopConfig.of({**self.config.model_dump(), **changes})
        _write_config(self.path, self.config)

    def resolve(self, relative: str) -> Path:
        """A file inside the shop; DataError where the path would leave it."""
        return inside(self.path, relative)

    def tables(self) -> dict[str, TableInfo]:
        """The tables that exist, by name."""
        return {name: self._info(name, version) for name, version in self.versions.current().items()}

    def has(self, name: str) -> bool:
        """Whether a table exists and has a row."""
        if name == "runs":
            return self.runs().height > 0
        version = self.versions.current().get(schema_of(name).name)
        return version is not None and self._info(name, version).rows > 0

    def relations(self, sql: str | None = None) -> dict[str, Relation]:
        """The known tables, or those that a query names: their files, or none where a table does not exist."""
        words = set(SCHEMAS) if sql is None else set(re.findall(r"\w+", sql))
        current = self.versions.current()
        found: dict[str, Relation] = {name: [] for name in SCHEMAS if name in words}
        found |= {name: self.versions.files(name, version) for name, version in current.items() if name in words}
        if "runs" in words:
            found["runs"] = self.runs()
        return found

    def sql(
        self, sql: str, params: Mapping[str, Any] | None = None, *, extra: Mapping[str, Relation] | None = None
    ) -> pl.DataFrame:
        """Run one statement in DuckDB's dialect; tables, and the frames in ``extra``, are views by their names."""
        return pl.DataFrame(self.engine.query(sql, self.relations(sql) | dict(extra or {}), params))

    def read(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A whole table, or some columns; every column of the schema is there. DataError where there is no table."""
        self.require(name)
        return self.sql(f"SELECT {_list(columns)} FROM {name}")

    def batches(self, name: str, columns: Sequence[str] | None = None, size: int = 100_000) -> Iterator[pa.RecordBatch]:
        """A table's rows in batches, in order, without holding them all."""
        self.require(name)
        sql = f"SELECT {_list(columns)} FROM {name}"
        yield from self.engine.stream(sql, self.relations(sql), size=size)

    def runs(self) -> pl.DataFrame:
        """The manifest: one row a run, oldest first."""
        schema = SCHEMAS["runs"]
        folder = self.path / "runs"
        rows = [_record(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
        columns = {
            c.name: pa.array([_manifest(row.get(c.name), c.type) for row in rows], _staged_type(c.arrow))
            for c in schema.columns
        }
        return pl.DataFrame(pa.table(columns).cast(schema.arrow))

    @contextmanager
    def run(self, verb: str, *, settings: Mapping[str, Any] | None = None, seed: int | None = None) -> Iterator[Run]:
        """Hold the writers' lock and publish together what the block writes, if it ends without an exception."""
        if self._running:
            raise UsageError("this shop is in a run already; write through that run")
        with self.versions.locked(verb, self.wait_s):
            self._running = True
            try:
                run = Run(self, verb, settings or {}, seed)
                try:
                    yield run
                    run.publish()
                except BaseException as error:
                    run.discard()
                    if isinstance(error, OSError) and error.errno in _FULL:
                        raise DataError(
                            f"'{verb}' ran out of space in the shop {self.path}; free some space and run it again"
                        ) from error
                    raise
            finally:
                self._running = False

    def write(self, name: str, data: Rows, *, verb: str = "write") -> int:
        """Replace a table, whole or not at all; how many rows."""
        schema_of(name)
        with self.run(verb) as run:
            return run.write(name, data)

    def append(self, name: str, data: Rows, *, verb: str = "append") -> int:
        """Add rows to a table, all or none; how many rows."""
        schema_of(name)
        with self.run(verb) as run:
            return run.append(name, data)

    def clean(self) -> tuple[int, int]:
        """Delete the old versions of all tables; how many versions and bytes went."""
        with self.versions.locked("clean", self.wait_s):
            return self.versions.sweep()

    def check(self) -> list[Violation]:
        """Examples of every violation of the tables' rules; empty: none. See :func:`danggol.shop.checks.check`."""
        from danggol.shop.checks import check

        return list(check(self).violations)

    def doctor(self) -> list[Answer]:
        """Which questions the tables can answer, and what is missing. See :func:`danggol.shop.doctor.doctor`."""
        from danggol.shop.doctor import doctor

        return doctor(self)

    def export(self, table: str, path: str | Path) -> int:
        """Write a table to a .csv, .jsonl or .parquet file; how many rows. See :func:`danggol.shop.export.export`."""
        from danggol.shop.export import export

        return export(self, table, path)

    def forget(self, customer_id: str) -> ForgetReport:
        """Remove a person from every table, old versions included. See :func:`danggol.shop.forget.forget`."""
        from danggol.shop.forget import forget

        return forget(self, customer_id)

    def _info(self, name: str, version: str) -> TableInfo:
        files = self.versions.files(name, version)
        try:
            rows = sum(pq.read_metadata(path).num_rows for path in files)
            size = sum(path.stat().st_size for path in files)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"table '{name}' in {files[0].parent} cannot be read: {error}") from error
        return TableInfo(name, version, rows, size, tuple(files))

    def require(self, name: str) -> None:
        """DataError where the shop has no such table."""
        schema_of(name)
        if name != "runs" and name not in self.versions.current():
            there = ", ".join(self.versions.current()) or "none yet"
            raise DataError(f"the shop {self.path} has no table '{name}' (it has: {there}); import it first")


def _list(columns: Sequence[str] | None) -> str:
    if columns is None:
        return "*"
    for column in columns:
        if not re.fullmatch(r"\w+", column):
            raise UsageError(f"'{column}' is not a column's name")
    return ", ".join(f'"{column}"' for column in columns)


def _record(path: Path) -> dict[str, Any]:
    """What a run left in the manifest."""
    try:
        record = json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the run's record {path} is damaged; move it away") from error
    if not isinstance(record, dict):
        raise DataError(f"the run's record {path} is damaged; move it away")
    return record


def _manifest(value: Any, kind: str) -> Any:
    return list(value.items()) if kind == "map" and value is not None else value


def _staged_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _write_config(root: Path, config: ShopConfig) -> None:
    lines = [f"format = {FORMAT}"]
    for name, value in config.model_dump().items():
        lines.append(f"{name} = {json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}")
    write_text(root / "shop.toml", "\n".join(lines) + "\n")
