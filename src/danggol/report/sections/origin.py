"""Where the figures come from: the runs that wrote the tables, and what further tables would unlock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from danggol.report.sections.reasons import arguments

if TYPE_CHECKING:
    from danggol.shop import Shop


@dataclass(frozen=True)
class Origin:
    """A run and the tables of it that this report read."""

    run_id: str
    verb: str
    seed: int | None
    version: str
    ended: datetime | None
    tables: list[str]


def gather(shop: Shop) -> list[Origin]:
    """The runs whose tables stand in the shop now, oldest first."""
    current = {name: info.version for name, info in shop.tables().items()}
    found = []
    for row in shop.runs().to_dicts():
        written = arguments(row["tables_written"])
        mine = sorted(name for name, version in written.items() if current.get(name) == version)
        if mine:
            found.append(_origin(row, mine, ZoneInfo(shop.config.timezone)))
    return found


def _origin(row: dict[str, Any], tables: list[str], zone: ZoneInfo) -> Origin:
    ended = row["ended"].astimezone(zone) if row["ended"] else None
    return Origin(row["run_id"], row["verb"], row["seed"], row["package_version"] or "", ended, tables)
