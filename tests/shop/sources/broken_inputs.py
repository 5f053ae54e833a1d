"""Inputs that real life hands over: broken files for every importer, with what an import must make of each.

A case builds a file in a folder. ``error`` is the exit code of the one clear sentence it must end in; else the import
must complete and reject ``lost`` rows exactly (None: either way, as long as every row is accounted for).
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from danggol.errors import DanggolError
from danggol.shop import Shop
from danggol.shop.sources import import_source

DATA, USAGE = 1, 2


@dataclass(frozen=True)
class Sample:
    """A small sound file of one source, and which of its columns to break."""

    source: str
    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    key: str
    text: str
    number: str
    date: str = ""
    delimiter: str = ","

    def encoded(self) -> bytes:
        """The file's bytes."""
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue().encode()

    def with_cell(self, column: str, value: str, row: int = 1) -> Sample:
        """The same with one cell changed."""
        place = self.header.index(column)
        changed = (*self.rows[row][:place], value, *self.rows[row][place + 1 :])
        return replace(self, rows=(*self.rows[:row], changed, *self.rows[row + 1 :]))

    def with_column(self, column: str, values: Sequence[str]) -> Sample:
        """The same with a column changed."""
        sample = self
        for row, value in enumerate(values):
            sample = sample.with_cell(column, value, row)
        return sample


@dataclass(frozen=True)
class Case:
    """One broken input and what must come of it."""

    name: str
    build: Callable[[Sample, Path], Path]
    error: int = 0
    lost: int | None = 0

    def __str__(self) -> str:
        return self.name


def check_case(case: Case, path: Path, source: str, old: Path) -> None:
    """Import over the tables of the shop ``old``: one clear sentence and the old tables, or every row accounted for."""
    shop = Shop.open(old)
    before = {name: table.version for name, table in shop.tables().items()}
    try:
        report = import_source(source, path, shop, "replace")
    except DanggolError as error:
        assert case.error or case.lost is None, f"{error} was not expected"
        assert error.exit_code == (case.error or DATA)
        said = str(error)
        assert 20 < len(said) < 500
        assert "\n" not in said and "Traceback" not in said
        assert ":" in said or ";" in said, "the sentence must say what to do"
        assert {name: table.version for name, table in shop.tables().items()} == before
        assert not list((old / ".staged").glob("*")), "nothing half done may stay"
        return
    assert not case.error, f"{case.name}: {report} should have been an error"
    assert report.rows == report.kept + sum(report.rejected.values())
    if case.lost is not None:
        assert sum(report.rejected.values()) == case.lost, report.rejected
    written = sum(report.rejected.values()) + sum(report.flaws.values())
    if written:
        rejects = shop.read("rejects")
        newest = rejects.filter(pl.col("run_id") == shop.runs()["run_id"][-1])
        assert newest.height == written
        assert newest["row"].min() >= 1 and newest["row"].max() <= 1_000
        for column in ("reason_code", "reason", "file"):
            assert newest[column].null_count() == 0 and (newest[column] != "").all()
    for name, rows in report.tables.items():
        assert shop.read(name).height == rows


def _put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _plain(change: Callable[[Sample], bytes]) -> Callable[[Sample, Path], Path]:
    return lambda sample, folder: _put(folder, sample.name, change(sample))


def _packed(change: Callable[[bytes], bytes]) -> Callable[[Sample, Path], Path]:
    return lambda sample, folder: _put(folder, sample.name + ".gz", change(gzip.compress(sample.encoded() * 20)))


def _cell(kind: str, value: str) -> Callable[[Sample, Path], Path]:
    return _plain(lambda sample: sample.with_cell(getattr(sample, kind), value).encoded())


def _line(sample: Sample, row: int, line: bytes) -> bytes:
    lines = sample.encoded().splitlines(keepends=True)
    return b"".join([*lines[: row + 1], line, *lines[row + 2 :]])


def _renamed(sample: Sample) -> bytes:
    return replace(sample, header=(sample.header[0] + "_x", *sample.header[1:])).encoded()


def _narrow(sample: Sample) -> bytes:
    return replace(sample, header=sample.header[1:], rows=tuple(row[1:] for row in sample.rows)).encoded()


def _wide(sample: Sample) -> bytes:
    rows = tuple((*row, str(place)) for place, row in enumerate(sample.rows))
    return replace(sample, header=(*sample.header, "Note"), rows=rows).encoded()


def _bad_bytes(sample: Sample) -> bytes:
    sample = sample.with_column(sample.text, ["무드등"] * len(sample.rows))
    return sample.with_cell(sample.text, "BYTES").encoded().replace(b"BYTES", b"\xff\xfe\x9c")


def _loop(sample: Sample, folder: Path) -> Path:
    path = folder / sample.name
    path.symlink_to(path)
    return path


def _pipe(sample: Sample, folder: Path) -> Path:
    path = folder / sample.name
    os.mkfifo(path)
    return path


def _bomb(sample: Sample, folder: Path) -> Path:
    return _put(folder, sample.name + ".gz", gzip.compress(bytes(1 << 20)) * 2_100)


def _text_bomb(sample: Sample, folder: Path) -> Path:
    line = sample.encoded().splitlines(keepends=True)[1]
    block = gzip.compress(line * (1 + (1 << 20) // len(line)))
    return _put(folder, sample.name + ".gz", gzip.compress(sample.encoded()) + block * 300)


def _folder(sample: Sample, folder: Path) -> Path:
    (folder / "notes.md").write_text("no data here")
    return folder


def _parquet(sample: Sample, folder: Path) -> Path:
    path = folder / sample.name
    pq.write_table(
        pa.table({name: [row[place] for row in sample.rows] for place, name in enumerate(sample.header)}), path
    )
    return path


def _secret(sample: Sample, folder: Path) -> Path:
    path = _put(folder, sample.name, sample.encoded())
    path.chmod(0)
    return path


TEXT_ERRORS = [
    Case("truncated gzip", _packed(lambda data: data[: len(data) * 2 // 3]), DATA),
    Case("gzip without its end", _packed(lambda data: data[:-6]), DATA),
    Case("gzip with damage", _packed(lambda data: data[:40] + bytes([data[40] ^ 0xFF]) + data[41:]), DATA),
    Case("gzip that is none", lambda sample, folder: _put(folder, sample.name + ".gz", sample.encoded()), DATA),
    Case("gzip of nothing", lambda sample, folder: _put(folder, sample.name + ".gz", gzip.compress(b"")), DATA),
    Case("gzip bomb", _bomb, DATA),
    Case("gzip bomb of rows", _text_bomb, DATA),
    Case("empty file", _plain(lambda _: b""), DATA),
    Case("heading only", _plain(lambda sample: replace(sample, rows=()).encoded()), DATA),
    Case("blank lines only", _plain(lambda _: b"\n\n  \n\r\n"), DATA),
    Case("no heading", _plain(lambda sample: sample.encoded().split(b"\n", 1)[1]), DATA),
    Case("missing column", _plain(_narrow), DATA),
    Case("renamed column", _plain(_renamed), DATA),
    Case("two columns of one name", _plain(lambda s: replace(s, header=(s.header[1], *s.header[1:])).encoded()), DATA),
    Case("quote never closed", _plain(lambda s: _line(s, 2, b'"open' + s.delimiter.encode() + b"\n")), DATA),
    Case("quote open at the end", _plain(lambda s: s.encoded() + b'"open'), DATA),
    Case("wrong delimiter", _plain(lambda s: replace(s, delimiter="^").encoded()), DATA),
    Case("heading of ten megabytes", _plain(lambda s: b"x" * 10_000_000 + b"\n" + s.encoded()), DATA),
    Case("Parquet called CSV", _parquet, DATA),
    Case("zip called CSV", _plain(lambda _: b"PK\x03\x04" + bytes(200)), DATA),
    Case("UTF-16 without its mark", _plain(lambda s: s.encoded().decode().encode("utf-16-le")), DATA),
    Case("UTF-16 cut in a character", _plain(lambda s: s.encoded().decode().encode("utf-16")[:-1]), DATA),
    Case("zero bytes", _plain(lambda _: bytes(5_000)), DATA),
    Case("no row of use", _plain(lambda s: s.with_column(s.key, [""] * len(s.rows)).encoded()), DATA),
    Case("folder without data", _folder, USAGE),
    Case("nothing at the path", lambda sample, folder: folder / "absent" / sample.name, USAGE),
    Case("symlink loop", _loop, DATA),
    Case("pipe", _pipe, USAGE),
]

TEXT_REJECTS = [
    Case(
        "row with a field more", _plain(lambda s: _line(s, 1, s.delimiter.join(("x",) * 20).encode() + b"\n")), lost=1
    ),
    Case("row with a field less", _plain(lambda s: _line(s, 1, b"x\n")), lost=1),
    Case("field of ten megabytes", _plain(lambda s: s.with_cell(s.text, "y" * 10_000_000).encoded()), lost=1),
    Case("field of 200,000 letters", _plain(lambda s: s.with_cell(s.text, "y" * 200_000).encoded()), lost=1),
    Case("NUL in a field", _cell("text", "a\x00b"), lost=1),
    Case("bytes of no encoding", _plain(_bad_bytes), lost=1),
    Case("text after a quote", _plain(lambda s: _line(s, 1, b'"a"b' + s.delimiter.encode() * 3 + b"\n")), lost=1),
    Case("empty id", _cell("key", ""), lost=1),
    Case("blank id", _cell("key", " \u00a0 "), lost=1),
    Case("number NaN", _cell("number", "NaN"), lost=1),
    Case("number without end", _cell("number", "-inf"), lost=1),
    Case("number with a comma", _cell("number", "1,5"), lost=1),
    Case("number in words", _cell("number", "three"), lost=1),
    Case("number below zero", _cell("number", "-4"), lost=1),
    Case("number in hexadecimal", _cell("number", "0x10"), lost=1),
    Case("number of 400 digits", _cell("number", "9" * 400), lost=1),
]

DATE_REJECTS = [
    Case(f"date {value}", _cell("date", value), lost=1)
    for value in ("2011-02-30", "0001-01-01", "99999-01-01", "2999-01-01", "soon", "20111209", "", "2011-13-01")
]

TEXT_SOUND = [
    Case("column too many", _plain(_wide)),
    Case("formula", _cell("text", "=cmd|'/C-calc'!A0")),
    Case("unicode trickery", _cell("text", "a\u202eb\u200bc\u0301\U0001f600\ufeff")),
    Case("UTF-8 mark", _plain(lambda s: b"\xef\xbb\xbf" + s.encoded())),
    Case("UTF-16 with its mark", _plain(lambda s: s.encoded().decode().encode("utf-16"))),
    Case("Windows line ends", _plain(lambda s: s.encoded().replace(b"\n", b"\r\n"))),
    Case("old Mac line ends", _plain(lambda s: s.encoded().replace(b"\n", b"\r"))),
    Case("blank lines between", _plain(lambda s: s.encoded().replace(b"\n", b"\n\n"))),
    Case("no end of line at the end", _plain(lambda s: s.encoded().rstrip(b"\n"))),
    Case("Korean in CP949", _plain(lambda s: s.with_cell(s.text, "달항아리조명").encoded().decode().encode("cp949"))),
    Case(
        "Latin-1", _plain(lambda s: s.with_column(s.text, ["café_crème_Noël"] * 3).encoded().decode().encode("latin-1"))
    ),
    Case("two gzip members", lambda s, f: _put(f, s.name + ".gz", gzip.compress(s.encoded()) + gzip.compress(b""))),
    Case("gzip by another name", lambda s, f: _put(f, s.name, gzip.compress(s.encoded()))),
    Case("path as text", _cell("text", "../../../etc/passwd")),
]

TEXT_CASES = [*TEXT_ERRORS, *TEXT_REJECTS, *TEXT_SOUND]
SECRET = Case("file nobody may read", _secret, DATA)


Frame = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class TableCase:
    """One broken Parquet file and what must come of it; ``build`` gets the sound table."""

    name: str
    build: Callable[[pa.Table, Path], Path]
    error: int = 0
    lost: int | None = 0

    def __str__(self) -> str:
        return self.name

    def as_case(self, table: pa.Table) -> Case:
        """The case for :func:`check_case`."""
        return Case(self.name, lambda _sample, folder: self.build(table, folder), self.error, self.lost)


def save(change: Frame, **options: object) -> Callable[[pa.Table, Path], Path]:
    """Build the Parquet file of a changed table."""

    def build(table: pa.Table, folder: Path) -> Path:
        path = folder / "data.parquet"
        pq.write_table(change(table), path, **options)
        return path

    return build


def reshape(change: Callable[[bytes], bytes]) -> Callable[[pa.Table, Path], Path]:
    """Build the file and change its bytes."""

    def build(table: pa.Table, folder: Path) -> Path:
        path = save(lambda same: same)(table, folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return build


def put(table: pa.Table, column: str, values: pa.Array | list[object], kind: pa.DataType | None = None) -> pa.Table:
    """The table with a column replaced."""
    array = values if isinstance(values, pa.Array) else pa.array(values, kind or table.schema.field(column).type)
    return table.set_column(table.schema.get_field_index(column), column, array)


def cell(table: pa.Table, column: str, value: object, row: int = 1) -> pa.Table:
    """The table with one value replaced."""
    values = table[column].to_pylist()
    values[row] = value
    return put(table, column, values)


def wrong_utf8(rows: int) -> pa.Array:
    """Text whose bytes are no UTF-8, as a careless writer leaves it."""
    offsets = pa.array(range(0, 2 * rows + 1, 2), pa.int32()).buffers()[1]
    return pa.StringArray.from_buffers(rows, offsets, pa.py_buffer(b"\xff\xfe" * rows))


def _table_loop(_table: pa.Table, folder: Path) -> Path:
    path = folder / "data.parquet"
    path.symlink_to(path)
    return path


def _csv_called_parquet(table: pa.Table, folder: Path) -> Path:
    return _put(folder, "data.parquet", ",".join(table.column_names).encode() + b"\n1,2,3\n")


def table_cases(key: str, needed: str, text: str) -> list[TableCase]:
    """The cases that every Parquet source shares; ``key``, ``needed`` and ``text`` are columns of it."""
    return [
        TableCase("no Parquet", reshape(lambda _: b"this is no Parquet file, not at all"), DATA),
        TableCase("CSV called Parquet", _csv_called_parquet, DATA),
        TableCase("empty file", reshape(lambda _: b""), DATA),
        TableCase("truncated", reshape(lambda data: data[: len(data) // 2]), DATA),
        TableCase("without its last byte", reshape(lambda data: data[:-1]), DATA),
        TableCase("footer length that lies", reshape(lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1"), DATA),
        TableCase(
            "damaged pages",
            reshape(lambda data: data[:4] + bytes(b ^ 0x5A for b in data[4:200]) + data[200:]),
            lost=None,
        ),
        TableCase("damaged footer", reshape(lambda data: data[:-120] + bytes(60) + data[-60:]), lost=None),
        TableCase("gzip of it", reshape(gzip.compress), DATA),
        TableCase("no rows", save(lambda table: table.slice(0, 0)), DATA),
        TableCase("missing column", save(lambda table: table.drop_columns([needed])), DATA),
        TableCase(
            "renamed column",
            save(lambda t: t.rename_columns([n + "_" if n == needed else n for n in t.column_names])),
            DATA,
        ),
        TableCase("two columns of one name", save(lambda t: t.append_column(needed, t[needed])), DATA),
        TableCase("key of lists", save(lambda t: put(t, key, [[1]] * len(t), pa.list_(pa.int64()))), DATA),
        TableCase("key of times", save(lambda t: put(t, key, [0] * len(t), pa.timestamp("us"))), DATA),
        TableCase(
            "text of structs", save(lambda t: put(t, text, [{"a": 1}] * len(t), pa.struct([("a", pa.int8())]))), DATA
        ),
        TableCase("no key at all", save(lambda t: put(t, key, [None] * len(t), pa.string())), DATA),
        TableCase("bytes that are no text", save(lambda t: put(t, text, wrong_utf8(len(t)))), DATA),
        TableCase("folder without data", lambda _t, folder: folder, USAGE),
        TableCase("nothing at the path", lambda _t, folder: folder / "absent.parquet", USAGE),
        TableCase("symlink loop", _table_loop, DATA),
        TableCase("column too many", save(lambda t: t.append_column("note", pa.array(["x"] * len(t))))),
        TableCase("missing key", save(lambda t: cell(t, key, None)), lost=1),
        TableCase("text that is a formula", save(lambda t: cell(t, text, "=1+1"))),
        TableCase("text that is a path", save(lambda t: cell(t, text, "../../../etc/passwd"))),
        TableCase("unicode trickery", save(lambda t: cell(t, text, "a\u202eb\u200b\U0001f600"))),
        TableCase("the same key twice", save(lambda t: cell(t, key, t[key][0].as_py())), lost=1),
        TableCase("dictionary of texts", save(lambda t: put(t, text, t[text].combine_chunks().dictionary_encode()))),
    ]
