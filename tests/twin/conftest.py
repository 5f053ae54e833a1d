"""Simulated markets that several tests look at."""

from pathlib import Path
from typing import Any

import pytest

from danggol.shop import Shop
from danggol.twin import simulate


class Simulated:
    """A simulated shop and the figures of its making."""

    def __init__(self, path: Path, seed: int) -> None:
        self.figures: dict[str, Any] = simulate(path, "small", seed=seed)
        self.shop = Shop.open(path)

    def truth(self, name: str) -> Path:
        return self.shop.path / "truth" / f"{name}.parquet"

    def tables(self) -> dict[str, bytes]:
        """The bytes of the newest version of every source table, and of every picture and truth file."""
        found = {}
        for table in sorted((self.shop.path / "tables").iterdir()):
            if table.name == "runs":
                continue
            version = self.shop.tables()[table.name].version
            for part in sorted((table / str(version)).rglob("*.parquet")):
                found[f"{table.name}/{part.name}"] = part.read_bytes()
        for folder in ("images", "truth"):
            for file in sorted((self.shop.path / folder).rglob("*.*")):
                found[str(file.relative_to(self.shop.path))] = file.read_bytes()
        return found


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return Simulated(tmp_path_factory.mktemp("small") / "a", seed=0)


@pytest.fixture(scope="session")
def small_again(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return Simulated(tmp_path_factory.mktemp("small") / "b", seed=0)


@pytest.fixture(scope="session")
def small_other_seed(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return Simulated(tmp_path_factory.mktemp("small") / "c", seed=1)
