"""What the tests of importers share."""

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from danggol.shop.engine import DuckDBEngine
from danggol.shop.sources import import_source

sys.path.insert(0, str(Path(__file__).parent))  # so that tests find broken_inputs beside them


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk() -> Iterator[None]:
    """These tests write hundreds of small shops; that files survive a power cut is for others to test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "sync", lambda: None)
        yield


@pytest.fixture(autouse=True, scope="module")
def one_database() -> Iterator[None]:
    """Opening a database takes 20 ms, and these tests ask some 3,000 queries: give each a schema of one database."""
    database, places = duckdb.connect(config={"threads": 1}), itertools.count()

    def connect(_engine: DuckDBEngine) -> duckdb.DuckDBPyConnection:
        connection, name = database.cursor(), f"place_{next(places)}"
        connection.execute(f"CREATE SCHEMA {name}; SET schema = '{name}'; SET TimeZone = 'UTC'")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DuckDBEngine, "connect", connect)
        yield


@pytest.fixture(scope="module")
def old_shops(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """A function that makes a shop from a sound file, once a module."""
    made: dict[str, Path] = {}

    def make(source: str, path: Path) -> Path:
        if source not in made:
            made[source] = tmp_path_factory.mktemp("old") / "shop"
            import_source(source, path, made[source])
        return made[source]

    return make


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """A function that copies a shop, for a test to change."""
    return lambda shop: Path(shutil.copytree(shop, tmp_path / "shop"))
