"""A moment as a user says it: a day of the shop, or a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from danggol.errors import UsageError


def as_moment(value: str | date | datetime, zone: ZoneInfo) -> datetime:
    """A day (its start in ``zone``) or a time (of ``zone`` where it names none), in UTC; UsageError: it is neither."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise UsageError(f"'{value}' is not a day such as 2011-11-09 or a time such as 2011-11-09T12:00") from error
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    try:
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise UsageError(f"{value:%Y-%m-%d} lies outside the years that can be told; give a later day") from error
