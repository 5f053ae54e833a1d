"""Times as people and programs write them, in English, Korean, Japanese and Chinese, as UTC."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from danggol.errors import DataError, UsageError

UTC_TIME = pl.Datetime("us", "UTC")
NAMED = frozenset({"", "dmy", "mdy", "excel", "unix", "unix_ms"})
"""Formats that are no strptime pattern."""

_MORNING, _EVENING = r"오전|午前|上午|\bA\.?M\b\.?|\bA\.M\.", r"오후|午後|下午|\bP\.?M\b\.?|\bP\.M\."
_WEEKDAY = r"\s*(?:\([^\d()]{1,9}\)|[월화수목금토일]요일|[月火水木金土日]曜日|星期[一二三四五六日])"
_ZONE = r"(?<zone>Z|UTC|GMT|KST|JST|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
_TAIL = (
    r"(?:(?:[T\s,]|\b)\s*(?<half>AM|PM)?\s*(?<hour>\d{1,2})\s*(?::|시|時|时|点)\s*(?<minute>\d{1,2})?\s*[분分]?"
    r"(?:\s*:?\s*(?<second>\d{1,2})(?:[.,](?<part>\d{1,9}))?\s*[초秒]?)?\s*(?<half_after>AM|PM)?)?\s*" + _ZONE + "$"
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAME = rf"(?<month>{'|'.join(_MONTHS)})[A-Z]*\.?"
_YEAR_FIRST = (
    r"^(?<year>\d{4})\s*[-./년年]\s*(?<month>\d{1,2})\s*[-./월月]\s*(?<day>\d{1,2})\s*[.일日]?" + _TAIL,
    r"^(?<year>19\d\d|20\d\d)(?<month>\d\d)(?<day>\d\d)(?:[T\s]*(?<hour>\d\d):?(?<minute>\d\d)(?::?(?<second>\d\d)"
    r"(?:\.(?<part>\d{1,9}))?)?)?\s*" + _ZONE + "$",
)
_NAMED_MONTH = (
    rf"^(?:[A-Z]+,?\s+)?(?<day>\d{{1,2}})(?:ST|ND|RD|TH)?[\s-]+{_NAME},?[\s-]+(?<year>\d{{4}}),?" + _TAIL,
    rf"^(?:(?:MON|TUE|WED|THU|FRI|SAT|SUN)[A-Z]*,?\s+)?{_NAME}\s+(?<day>\d{{1,2}})(?:ST|ND|RD|TH)?,?\s+(?<year>\d{{4}}),?"
    + _TAIL,
)
_SHORT = r"^(?<{0}>\d{{1,2}})\s*[-./]\s*(?<{1}>\d{{1,2}})\s*[-./]\s*(?<year>\d{{4}}),?"
_DAY_FIRST, _MONTH_FIRST = _SHORT.format("day", "month") + _TAIL, _SHORT.format("month", "day") + _TAIL
_USUAL = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y.%m.%d %H:%M")
"""The commonest ways to write a time, which need no search for its parts."""
_EPOCH_DAY = 25_569
"""1970-01-01 as Excel counts days."""


def read_times(text: pl.Series, form: str, zone: str) -> pl.Series:
    """The texts as UTC times; null where one is none in ``form``, or lies before 1900 or after 2200.

    ``form``: a strptime pattern, a name of :data:`NAMED`, or empty: every way to write a time that has one meaning.
    Times that do not say theirs are in ``zone``; one that stands twice when clocks go back is the first of the two, one
    that is skipped when they go forward is an hour later.
    """
    frame = pl.DataFrame({"text": text})
    if form in {"excel", "unix", "unix_ms"}:
        return frame.select(_plausible(_number_time(form, zone))).to_series()
    if form not in NAMED:
        return frame.select(_plausible(_patterned(pl.col("text"), form, zone))).to_series()
    distinct = frame.drop_nulls().unique(maintain_order=True)
    distinct = distinct.with_columns(_by_shape(distinct, form, zone).alias("time"))
    return frame.join(distinct, on="text", how="left", maintain_order="left")["time"]


def day_order(texts: Iterator[pl.Series], column: str) -> str:
    """``dmy`` or ``mdy`` for dates such as 05/03/2024, from all of a column; empty where it holds none of them.

    DataError where no date tells day from month, or some say one and some the other.
    """
    dates = days_first = months_first = 0
    for text in texts:
        parts = text.str.extract_groups(r"^\s*(\d{1,2})\s*[-./]\s*(\d{1,2})\s*[-./]\s*\d{4}").struct.unnest()
        first, second = (parts.to_series(i).cast(pl.Int32) for i in (0, 1))
        dates += len(first) - first.null_count()
        days_first += int((first > 12).sum())
        months_first += int((second > 12).sum())
    if not dates:
        return ""
    if days_first and months_first:
        raise DataError(
            f"column '{column}' holds dates with the day first and dates with the month first "
            f"({days_first:,} and {months_first:,}); write them one way, or give a format"
        )
    if not days_first and not months_first:
        raise DataError(
            f"the dates of column '{column}' can be read as day/month or as month/day; say which in the mapping: "
            'format = "dmy" or format = "mdy"'
        )
    return "dmy" if days_first else "mdy"


def _by_shape(frame: pl.DataFrame, form: str, zone: str) -> pl.Series:
    """Try one way of writing after the other, each on the texts that none before could read."""
    found = frame.select(
        _plausible(_localised(pl.coalesce(_strptime(pl.col("text"), usual) for usual in _USUAL), zone)).alias("found")
    ).to_series()
    if not found.null_count():
        return found
    text = pl.when(found.is_null()).then(pl.col("text")).str.normalize("NFKC").str.strip_chars().str.to_uppercase()
    text = text.str.replace_all(_WEEKDAY, " ").str.replace_all(_MORNING, " AM ").str.replace_all(_EVENING, " PM ")
    left = frame.select(text.str.replace_all(r"\s+", " ").str.strip_chars().alias("text"))
    shapes = [*_YEAR_FIRST, *_NAMED_MONTH]
    shapes += {"dmy": [_DAY_FIRST], "mdy": [_MONTH_FIRST]}.get(form, [])
    ways = [_shaped(shape, zone) for shape in shapes]
    ways += [_number_time(kind, zone) for kind in ("unix", "unix_ms", "excel")] if form == "" else []
    for way in ways:
        now = left.select(_plausible(way).alias("found")).to_series()
        found = found.zip_with(found.is_not_null(), now)
        left = left.select(pl.when(found.is_null()).then(pl.col("text")).alias("text"))
        if left["text"].null_count() == left.height:
            break
    return found


def _shaped(shape: str, zone: str) -> pl.Expr:
    parts = pl.col("text").str.extract_groups(shape)
    names = [
        name for name in ("half", "hour", "minute", "second", "part", "half_after", "zone") if f"<{name}>" in shape
    ]

    def part(name: str, otherwise: str = "0") -> pl.Expr:
        return parts.struct.field(name).fill_null(otherwise) if name in names else pl.lit(otherwise)

    month = parts.struct.field("month")
    if _NAME in shape:
        month = month.replace_strict({name: str(i) for i, name in enumerate(_MONTHS, 1)}, return_dtype=pl.String)
    half = pl.lit("")
    if "half" in names:
        half = pl.when(part("half", "") != "").then(part("half", "")).otherwise(part("half_after", ""))
    hour = part("hour").cast(pl.Int32)
    hour = (
        pl.when((half == "PM") & (hour < 12))
        .then(hour + 12)
        .when((half == "AM") & (hour == 12))
        .then(0)
        .otherwise(hour)
    )
    written = pl.concat_str(
        parts.struct.field("year"),
        month,
        parts.struct.field("day"),
        hour.cast(pl.String),
        part("minute"),
        part("second"),
        separator="-",
    )
    local = _strptime(written, "%Y-%m-%d-%H-%M-%S") + pl.duration(
        microseconds=part("part").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64)
    )
    return _zoned(local, part("zone", ""), zone)


def _zoned(local: pl.Expr, offset: pl.Expr, zone: str) -> pl.Expr:
    """Local times as UTC, by the offset that each says, else by the zone."""
    digits = offset.str.extract(r"^[+-](\d.*)$").str.replace(":", "").str.pad_end(4, "0")
    minutes = digits.str.slice(0, 2).cast(pl.Int32) * 60 + digits.str.slice(2, 2).cast(pl.Int32)
    minutes = pl.when(offset.str.starts_with("-")).then(-minutes).otherwise(minutes)
    minutes = (
        pl.when(offset.is_in(["Z", "UTC", "GMT"]))
        .then(0)
        .when(offset.is_in(["KST", "JST"]))
        .then(540)
        .otherwise(minutes)
    )
    said = (local - pl.duration(minutes=minutes)).dt.replace_time_zone("UTC")
    return pl.when(offset == "").then(_localised(local, zone)).otherwise(said)


def _localised(local: pl.Expr, zone: str) -> pl.Expr:
    if zone == "UTC":
        return local.dt.replace_time_zone("UTC")
    exact = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    later = (local + pl.duration(hours=1)).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(exact, later).dt.convert_time_zone("UTC")


def _patterned(text: pl.Expr, form: str, zone: str) -> pl.Expr:
    if "%p" in form:
        text = text.str.replace_all(r"오전|午前|上午", "AM").str.replace_all(r"오후|午後|下午", "PM")
    aware = any(sign in form for sign in ("%z", "%:z", "%#z", "%+", "%s"))
    try:
        pl.DataFrame({"text": ["1"]}).select(_strptime(pl.col("text"), form))
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"'{form}' is not a time format; write one such as %Y-%m-%d %H:%M") from error
    read = _strptime(text, form)
    return read.dt.convert_time_zone("UTC") if aware and "%s" not in form else _localised(read, zone)


def _strptime(text: pl.Expr, form: str) -> pl.Expr:
    return text.str.to_datetime(form, time_unit="us", strict=False)


def _number_time(form: str, zone: str) -> pl.Expr:
    """Excel's serial days, or seconds or milliseconds since 1970; only where the number is of a likely size."""
    number = pl.col("text").cast(pl.Float64, strict=False)
    if form == "excel":
        low, high = 10_000.0, 110_000.0
        micros = ((number - _EPOCH_DAY) * 86_400_000).round() * 1000
        return _localised(
            pl.when(number.is_between(low, high)).then(micros).cast(pl.Int64).cast(pl.Datetime("us")), zone
        )
    factor, low, high = (1e6, 1e8, 7.2e9) if form == "unix" else (1e3, 1e11, 7.2e12)
    micros = pl.when(number.is_between(low, high)).then((number * factor).round())
    return micros.cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _plausible(time: pl.Expr) -> pl.Expr:
    return pl.when(time.dt.year().is_between(1900, 2199)).then(time.cast(UTC_TIME))
