"""What an importer is, which there are, and how one is run."""

from __future__ import annotations

import difflib
import importlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from danggol.errors import DataError, UsageError
from danggol.shop.shop import Shop
from danggol.shop.sources.intake import Intake, Mode

Options = Mapping[str, str]


class Source(Protocol):
    """Knows one kind of data and turns it into tables of a shop."""

    name: str
    """As the command line calls it."""
    summary: str
    """What it reads, in one line."""
    options: Mapping[str, str]
    """The options it takes, and what each means."""

    def tables(self, options: Options, /) -> Sequence[str]:
        """The tables it will write."""

    def config(self, options: Options, /) -> Mapping[str, Any]:
        """What ``shop.toml`` of a new shop should say: timezone, currency, languages."""

    def load(self, path: Path, intake: Intake, options: Options, /) -> None:
        """Read the file or folder in batches and write through ``intake``; DataError or UsageError where it cannot."""


@dataclass(frozen=True)
class KnownSource:
    """A source of one known form, which always writes the same tables."""

    name: str
    summary: str
    writes: Sequence[str]
    shop: Mapping[str, Any]
    read: Callable[[Path, Intake, Options], None]
    options: Mapping[str, str] = field(default_factory=dict)

    def tables(self, _options: Options, /) -> Sequence[str]:
        """The tables it will write."""
        return self.writes

    def config(self, _options: Options, /) -> Mapping[str, Any]:
        """What ``shop.toml`` of a new shop should say."""
        return self.shop

    def load(self, path: Path, intake: Intake, options: Options, /) -> None:
        """Read the file or folder in batches and write through ``intake``."""
        self.read(path, intake, options)


SOURCES: dict[str, str] = {
    "online-retail": "online_retail:SOURCE",
    "online-shoppers": "online_shoppers:SOURCE",
    "xmarket": "xmarket:SOURCE",
    "amazon-m2": "amazon_m2:SOURCE",
    "fashion-products": "fashion_products:SOURCE",
    "csv": "csv:SOURCE",
}
"""Every importer: its module here, and the object in it."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did. ``rows`` of the files = ``kept`` + the sum of ``rejected``."""

    source: str
    path: Path
    shop: Path
    mode: Mode
    created: bool
    """Whether the shop was made for it."""
    rows: int
    kept: int
    rejected: Mapping[str, int]
    """Rows that could not be used, by reason."""
    flaws: Mapping[str, int]
    """Parts of kept rows that could not be used, by reason."""
    tables: Mapping[str, int]
    """Rows written, by table."""
    first: datetime | None
    last: datetime | None
    notes: Sequence[str]
    """What the user should hear: one sentence each."""
    seconds: float


def find_source(name: str) -> Source:
    """The importer of that name; UsageError that names the nearest one."""
    if name not in SOURCES:
        near = difflib.get_close_matches(name, list(SOURCES), 1, 0.0)
        raise UsageError(f"there is no source '{name}'; did you mean '{near[0]}'? (known: {', '.join(SOURCES)})")
    module, _, attribute = SOURCES[name].partition(":")
    return cast(Source, getattr(importlib.import_module(f"danggol.shop.sources.{module}"), attribute))


def import_source(
    name: str, path: str | Path, shop: Shop | str | Path, mode: Mode = "refuse", options: Options | None = None
) -> ImportReport:
    """Read ``path`` with the importer ``name`` into a shop, which is made where there is none.

    ``mode``: what to do with tables that hold rows already: ``refuse`` (UsageError), ``replace`` them, or ``append`` to
    them. All tables appear together, or none. DataError where the data cannot be used at all.
    """
    began = time.monotonic()
    source, given, path = find_source(name), dict(options or {}), Path(path)
    if mode not in get_args(Mode):
        raise UsageError(f"there is no mode '{mode}'; choose one of {', '.join(get_args(Mode))}")
    for option in given:
        if option not in source.options:
            known = ", ".join(source.options) or "none"
            raise UsageError(f"source '{name}' has no option '{option}' (known: {known})")
    root = shop.path if isinstance(shop, Shop) else Path(shop)
    fresh = not (root / "shop.toml").exists()
    there = root.exists()
    config = source.config(given)
    if not isinstance(shop, Shop):
        shop = Shop.create(root, **config) if fresh else Shop.open(root)
    try:
        intake = _load(source, path, shop, mode, given)
    except BaseException:
        if fresh:
            _remove_new_shop(shop, there)
        raise
    if not fresh:
        intake.notes += [
            f"The shop's {key} is {getattr(shop.config, key)}, this source's {value}; change shop.toml if it should be."
            for key, value in config.items()
            if key in ("timezone", "currency") and getattr(shop.config, key) != value
        ]
    return ImportReport(
        source=name,
        path=path,
        shop=root,
        mode=mode,
        created=fresh,
        rows=intake.received,
        kept=intake.kept,
        rejected=dict(intake.rejected.most_common()),
        flaws=dict(intake.flaws.most_common()),
        tables=dict(intake.tables),
        first=intake.first,
        last=intake.last,
        notes=tuple(intake.notes),
        seconds=time.monotonic() - began,
    )


def _load(source: Source, path: Path, shop: Shop, mode: Mode, options: Options) -> Intake:
    settings = {"source": source.name, "path": path.name, "mode": mode, **options}
    with shop.run("import", settings=settings) as run:
        if mode == "refuse":
            _refuse(source, shop, options)
        intake = Intake(run, source.name, mode)
        try:
            source.load(path, intake, options)
        except OSError as error:
            raise DataError(
                f"the import of {path.name} stopped ({error.strerror or error}); see to the disk and its permissions, "
                "and try again"
            ) from error
        _account(intake, path)
        intake.finish()
    return intake


def _refuse(source: Source, shop: Shop, options: Options) -> None:
    there = shop.tables()
    full = [f"{there[name].rows:,} in {name}" for name in source.tables(options) if name in there and there[name].rows]
    if full:
        raise UsageError(
            f"the shop {shop.path} has rows already ({', '.join(full)}); pass --append to add to them or --replace to "
            "put the new rows in their place"
        )


def _account(intake: Intake, path: Path) -> None:
    """Insist that every row is accounted for, and that one at least could be used."""
    lost = sum(intake.rejected.values())
    if not intake.received:
        raise DataError(f"{path.name} has headings but no rows; give a file with rows")
    if intake.received != intake.kept + lost:
        raise DataError(
            f"{path.name}: {intake.received:,} rows came in, but {intake.kept:,} were kept and {lost:,} rejected; "
            "nothing was written, please report this"
        )
    if not intake.kept and "duplicate_key" not in intake.rejected:
        reasons = ", ".join(f"{code} {count:,}" for code, count in intake.rejected.most_common(4))
        raise DataError(f"none of the {lost:,} rows of {path.name} could be used ({reasons}); check the file")


def _remove_new_shop(shop: Shop, there: bool) -> None:
    """Leave nothing of a shop that was made for an import that failed, unless another run has come to it meanwhile."""
    with suppress(UsageError), shop.versions.locked("import", 0):
        if shop.runs().height:
            return
        if not there:
            shutil.rmtree(shop.path, ignore_errors=True)
            return
        for name in ("shop.toml", ".lock", ".lock-holder.json"):
            (shop.path / name).unlink(missing_ok=True)
        for name in (".staged", "tables", "runs"):
            shutil.rmtree(shop.path / name, ignore_errors=True)
