"""`forget`: take a person out of every table, of old versions too, and say what else may still know them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from danggol.errors import DataError, UsageError
from danggol.progress import stage
from danggol.shop.rules import PICTURE_COLUMNS, literal
from danggol.shop.schemas import SCHEMAS
from danggol.shop.versions import SPILL, write_text

if TYPE_CHECKING:
    from danggol.shop.run import Run
    from danggol.shop.shop import Shop

_BY_ID = tuple(name for name, schema in SCHEMAS.items() if any(c.name == "customer_id" for c in schema.columns))
_ANONYMOUS = {
    "events": "session_id IN (FROM gone_sessions) OR order_id IN (FROM gone_orders)",
    "sessions": "session_id IN (FROM gone_sessions)",
    "reviews": "order_id IN (FROM gone_orders)",
}
"""Rows without a customer that are the person's all the same: of the same visit or order."""

_BY_REVIEW = ("review_sentiment", "review_aspects", "review_causes")
_HOLDING = (*_BY_ID, *_BY_REVIEW, "customer_causes", "rejects")
"""Every table that may hold something of a person; their old versions are deleted."""

_READERS = ("reviews", "causes")
"""What reads reviews in parts: folders of ``cache``, and locks beside them that a run holds while it writes there."""
_LEARNING = ("sentiment-training*", ".sentiment-training*")
"""Folders of ``cache`` with the weights of a fine-tuning that did not end; hidden: the ones before, or half written."""

_FORGOTTEN = "forgotten"
_MOST_TEXT = 64 * 2**20
_TEXTS = frozenset((".json", ".jsonl", ".csv", ".txt", ".toml", ".md", ".html", ".tsv", ".log"))


@dataclass(frozen=True)
class Remainder:
    """What `forget` does not change: a file or model folder, and why it matters (``names`` or ``learned``)."""

    path: str
    reason: str


@dataclass(frozen=True)
class ForgetReport:
    """What was taken away: rows of each table and of other Parquet files, texts blanked, pictures, old versions."""

    rows: dict[str, int] = field(default_factory=dict)
    blanked: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """what danggol makes again and may quote them: the report, labels or weights of a run that did not end"""
    old_versions: int = 0
    remains: tuple[Remainder, ...] = ()


def forget(shop: Shop, customer_id: str) -> ForgetReport:
    """Remove a person: their rows in source and result tables, rows of their visits, orders and reviews, pictures of
    their reviews, the text of rejected rows that name them, their rows in other Parquet files (such as ``truth/``),
    and all old versions of the tables that may hold them; together, or nothing of it.

    The shop's HTML report goes too, since it quotes reviews; ``danggol report`` makes it again. Models are not trained
    again: in their Parquet files the id gives way to a made-up one, and what is returned names each model folder and
    each text file that may still know the person. UsageError where nobody has the id, or where a run is reading
    reviews: it would go on writing of the person.
    """
    if not customer_id.strip():
        raise UsageError("the customer's id is empty; check the id")
    person = _Person(shop, customer_id)
    with shop.run("forget") as run, _no_readers(shop), stage("forget", len(_HOLDING)) as bar:
        shutil.rmtree(shop.path / ".staged" / SPILL, ignore_errors=True)
        gone = person.belongings()
        pictures = person.pictures(gone)
        rows: dict[str, int] = {}
        blanked: dict[str, int] = {}
        for name in _HOLDING:
            bar.say(name)
            count = person.rewrite(run, name, gone)
            if count:
                (blanked if name in {"customer_causes", "rejects"} else rows)[name] = count
            bar.advance()
        files = person.rewrite_files(run)
        old = person.old_versions()
        records = person.blank_runs()
        if not (rows or blanked or files or records or person.in_old_versions(old)):
            raise UsageError(f"no table of the shop {shop.path} knows the customer '{customer_id}'; check the id")
        for name in _HOLDING:
            run.purge(name)
        again = person.made_again()
        for name in (*pictures, *again):
            run.remove_file(name)
    if records:
        blanked["runs"] = records
    return ForgetReport(rows, blanked, files, tuple(pictures), again, len(old), person.remains())


@contextmanager
def _no_readers(shop: Shop) -> Iterator[None]:
    """Keep runs from reading reviews in parts meanwhile; UsageError where one does."""
    cache = shop.path / "cache"
    cache.mkdir(exist_ok=True)
    with ExitStack() as held:
        for name in _READERS:
            try:
                held.enter_context(FileLock(cache / f"{name}.lock").acquire(timeout=0))
            except Timeout as error:
                raise UsageError(
                    f"a run is reading the reviews of {shop.path} ('reviews label' or 'reviews causes') and would go "
                    "on writing of the person; wait until it has ended, or end it, and give the command again"
                ) from error
        yield


class _Person:
    """One customer id, and where it is found."""

    def __init__(self, shop: Shop, customer_id: str) -> None:
        self.shop, self.id = shop, customer_id
        spellings = {customer_id, json.dumps(customer_id)[1:-1], json.dumps(customer_id, ensure_ascii=False)[1:-1]}
        found = "|".join(re.escape(text) for text in sorted(spellings))
        self.pattern = rf"(^|[^0-9A-Za-z_.])({found})(\.0+)?($|[^0-9A-Za-z_])"
        self.current = shop.versions.current()

    def belongings(self) -> dict[str, pl.DataFrame]:
        """The ids of the person's visits, orders and reviews, as one-column frames for queries."""
        gone = {}
        for what, tables in (("session", ("events", "sessions")), ("order", ("events", "orders", "reviews"))):
            parts = [f"SELECT {what}_id FROM {name} WHERE customer_id = $id" for name in tables]
            sql = f"SELECT DISTINCT {what}_id FROM ({' UNION ALL '.join(parts)}) WHERE {what}_id IS NOT NULL"
            gone[f"gone_{what}s"] = self.shop.sql(sql, {"id": self.id})
        sql = f"SELECT review_id FROM reviews WHERE {self._condition('reviews')}"
        gone["gone_reviews"] = self.shop.sql(sql, extra=gone)
        return gone

    def _condition(self, name: str) -> str:
        """The SQL condition that a row of a table is the person's."""
        if name in _BY_REVIEW:
            return "review_id IN (FROM gone_reviews)"
        mine = f"customer_id = {literal(self.id)}"
        return f"({mine} OR (customer_id IS NULL AND ({_ANONYMOUS[name]})))" if name in _ANONYMOUS else mine

    def rewrite(self, run: Run, name: str, gone: dict[str, pl.DataFrame]) -> int:
        """Write a table without the person, if it holds them; how many rows went or were blanked."""
        if name not in self.current:
            return 0
        if name == "rejects":
            hit = f"regexp_matches(concat_ws(' ', record, reason), {literal(self.pattern)})"
            kept = f"SELECT * REPLACE (CASE WHEN {hit} THEN NULL ELSE record END AS record, "
            kept += f"CASE WHEN {hit} THEN '{_FORGOTTEN}' ELSE reason END AS reason) FROM rejects"
        elif name == "customer_causes":
            hit = "list_has_any(example_reviews, (SELECT coalesce(list(review_id), []) FROM gone_reviews))"
            others = "list_filter(example_reviews, lambda review: NOT list_contains(ids_, review))"
            kept = f"SELECT * EXCLUDE (ids_) REPLACE (CASE WHEN {hit} THEN {others} ELSE example_reviews END "
            kept += f"AS example_reviews) FROM {name}, (SELECT list(review_id) AS ids_ FROM gone_reviews)"
        else:
            hit = self._condition(name)
            kept = f"SELECT * FROM {name} WHERE ({hit}) IS NOT TRUE"
        count = int(self.shop.sql(f"SELECT count(*) AS n FROM {name} WHERE {hit}", extra=gone)["n"][0])
        if count:
            run.write(name, self.shop.engine.stream(kept, self.shop.relations(kept) | gone))
        return count

    def pictures(self, gone: dict[str, pl.DataFrame]) -> list[str]:
        """The pictures in the shop that only the person's reviews name."""
        mine = "SELECT image AS name_ FROM reviews WHERE review_id IN (FROM gone_reviews)"
        others = ["SELECT image FROM reviews WHERE review_id NOT IN (FROM gone_reviews)"]
        for table, column in PICTURE_COLUMNS.items():
            if table != "reviews":
                value = column if SCHEMAS[table].column(column).type == "string" else f"unnest({column})"
                others.append(f"SELECT {value} FROM {table}")
        sql = f"SELECT DISTINCT name_ FROM ({mine} EXCEPT ({' UNION ALL '.join(others)})) WHERE name_ IS NOT NULL"
        return [name for name in self.shop.sql(sql, extra=gone)["name_"].sort() if self._is_file(name)]

    def made_again(self) -> tuple[str, ...]:
        """Files that quote reviews, label them without a customer's id or learn from them, and are made again."""
        report, cache = self.shop.path / "report" / "index.html", self.shop.path / "cache"
        folders = [
            *(cache / name for name in _READERS),
            *(path for one in _LEARNING for path in sorted(cache.glob(one))),
        ]
        found = [
            path for path in (report, *(one for held in folders for one in sorted(held.rglob("*")))) if path.is_file()
        ]
        return tuple(path.relative_to(self.shop.path).as_posix() for path in found)

    def _is_file(self, name: str) -> bool:
        try:
            return self.shop.resolve(name).is_file()
        except DataError:
            return False

    def rewrite_files(self, run: Run) -> dict[str, int]:
        """Take the person's rows out of Parquet files beside the tables; in models, a made-up id takes their place."""
        changed = {}
        for path in self._files():
            if path.suffix != ".parquet":
                continue
            table = _read(path)
            names = [f.name for f in table.schema if _is_text(f.type) and "customer" in f.name + path.stem]
            hits = {name: _equal(table[name], self.id) for name in names}
            count = sum(pc.sum(hit).as_py() or 0 for hit in hits.values())
            if not count:
                continue
            relative = path.relative_to(self.shop.path).as_posix()
            for name, hit in hits.items():
                column = pc.if_else(hit, f"{_FORGOTTEN}-{run.id}", table[name].cast(pa.string()))
                table = table.set_column(table.schema.get_field_index(name), name, column)
            if not relative.startswith("models/"):
                for name in names:
                    table = table.filter(pc.invert(_equal(table[name], f"{_FORGOTTEN}-{run.id}")))
            pq.write_table(table, run.file_path(relative), compression="zstd")
            changed[relative] = count
        return changed

    def old_versions(self) -> list[Path]:
        """The versions, not current, of the tables that may hold a person."""
        folders = (path for name in _HOLDING for path in sorted((self.shop.versions.tables / name).glob("v*")))
        return [path for path in folders if path.is_dir() and path.name != self.current.get(path.parent.name)]

    def in_old_versions(self, folders: list[Path]) -> bool:
        """Whether an old version of a table has a row of the person."""
        for folder in folders:
            for path in folder.glob("*.parquet"):
                if "customer_id" in pq.read_schema(path).names:
                    column = pq.read_table(path, columns=["customer_id"])["customer_id"]
                    if _is_text(column.type) and pc.any(_equal(column, self.id)).as_py():
                        return True
        return False

    def blank_runs(self) -> int:
        """Blank the settings of recorded runs that name the person; how many."""
        count = 0
        for path in sorted((self.shop.path / "runs").glob("*.json")):
            record = json.loads(path.read_text("utf8"))
            if re.search(self.pattern, str(record.get("settings"))):
                write_text(path, json.dumps({**record, "settings": json.dumps(_FORGOTTEN)}, ensure_ascii=False))
                count += 1
        return count

    def remains(self) -> tuple[Remainder, ...]:
        """Models, which may have learned from the person, and text files that name them."""
        models = self.shop.path / "models"
        learned = [Remainder(f"models/{path.name}", "learned") for path in sorted(models.glob("*")) if path.is_dir()]
        texts = [p for p in self._files() if p.suffix.lower() in _TEXTS and p.stat().st_size < _MOST_TEXT]
        named = [
            Remainder(path.relative_to(self.shop.path).as_posix(), "names")
            for path in texts
            if re.search(self.pattern, path.read_text("utf8", errors="replace"))
        ]
        return (*learned, *named)

    def _files(self) -> list[Path]:
        """Every file of the shop outside its own folders."""
        own = {"tables", "runs", ".staged"}
        top = [path for path in sorted(self.shop.path.iterdir()) if path.name not in own and path.name[0] != "."]
        found = [path for path in top if path.is_file()]
        for folder in top:
            if folder.is_dir() and not folder.is_symlink():
                found += sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return found


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts, in any of Arrow's ways."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _equal(column: pa.ChunkedArray, text: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(column.cast(pa.string()), text), fill_value=False)


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read, so a person in it could stay: {error}; move it away first") from error
