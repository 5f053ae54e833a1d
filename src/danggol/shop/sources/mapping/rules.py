"""Which column of a file means what: the TOML mapping of the ``csv`` source, read strictly, written with reasons."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from danggol.errors import UsageError
from danggol.shop.codes import CURRENCIES, LANGUAGES
from danggol.shop.schemas import SOURCE_TABLES, Column, Schema
from danggol.shop.sources.mapping.toml_text import key_toml, one_line, settings_toml, toml
from danggol.shop.sources.reading.tables import FileRule, Kind

Keep = Literal["all", "latest", "first"]
OnBad = Literal["reject", "empty"]
Extra = Literal["text", "number", "bool", "time"]

GENERATED = frozenset({"events", "reviews", "sessions", "broadcasts"})
"""Tables whose id is made from the file and the row where no column holds one."""
MERGED = frozenset({"customers", "products", "orders", "accounts"})
"""Tables of things that last: several rows about one of them are merged unless the mapping says otherwise."""
_NUMBERS = {"double", "int64"}


@dataclass(frozen=True)
class ColumnRule:
    """Where a target column comes from and how it is read."""

    column: str = ""
    columns: tuple[str, ...] = ()
    join: str = " "
    value: str | None = None
    extract: str = ""
    """A regular expression; its first group, or all of it, is taken."""
    map: Dict[str, str] = field(default_factory=dict)
    """From the file's words to the shop's; ``C*`` stands for all that begin with C, ``*`` for all others."""
    default: str | None = None
    format: str = ""
    """Of times: a strptime pattern, ``dmy``, ``mdy``, ``excel``, ``unix``, ``unix_ms``; else found out."""
    timezone: str = ""
    decimal: str = ""
    scale: float = 1.0
    range: tuple[float, ...] = ()
    """The worst and the best grade of the file, which become the least and the most that the column may hold."""
    absolute: bool = False
    per: str = ""
    """A column to divide the number by, such as the quantity."""
    times: str = ""
    """A column to multiply the number by."""
    sum: bool = False
    """Of a merged table: add the rows' numbers up."""
    split: str = ""
    type: Extra | None = None
    """Of further columns of an open table, such as sessions."""
    bad: OnBad | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The file's columns it reads."""
        one = (self.column,) if self.column else ()
        return (*one, *self.columns, *(name for name in (self.per, self.times) if name))


@dataclass(frozen=True)
class TableRule:
    """A table that every row of the file gives a row of, or a part of one."""

    table: str
    columns: Dict[str, ColumnRule]
    keep: Keep = "all"

    @property
    def schema(self) -> Schema:
        """The table's schema."""
        return SOURCE_TABLES[self.table]

    @property
    def generated(self) -> str:
        """The id column that is made from file and row; empty where the file has one."""
        key = self.schema.key[0]
        return key if self.table in GENERATED and key not in self.columns else ""


@dataclass(frozen=True)
class Reason:
    """Why a column was proposed, and how sure that is (0 to 1)."""

    confidence: float
    text: str


@dataclass(frozen=True)
class Mapping:
    """What becomes of a file's columns; the first table is the main one: a row that yields no row of it is rejected."""

    tables: tuple[TableRule, ...]
    file: FileRule = field(default_factory=FileRule)
    reasons: Dict[str, Reason] = field(default_factory=dict)
    """``table.column`` to why it was proposed; empty where a person wrote the mapping."""
    unused: Dict[str, str] = field(default_factory=dict)
    """Columns of the file that nothing takes, and why; known for proposals only."""
    name: str = "the mapping"

    @property
    def sources(self) -> tuple[str, ...]:
        """The file's columns that the tables read, each once."""
        rules = (rule for table in self.tables for rule in table.columns.values())
        return tuple(dict.fromkeys(name for rule in rules for name in rule.sources))

    @property
    def confidence(self) -> float:
        """Of the least sure column of a proposal; 1 where a person wrote it."""
        return min((reason.confidence for reason in self.reasons.values()), default=1.0)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a mapping file; UsageError names the line and what is wrong there."""
        path = Path(path)
        try:
            text = path.read_text("utf-8-sig")
        except OSError as error:
            raise UsageError(f"cannot read the mapping {path} ({error.strerror}); give the path of a file") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"the mapping {path.name} is not UTF-8 text; save it as UTF-8") from error
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, name: str = "the mapping") -> Self:
        """Read a mapping's text; ``name`` stands in messages."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{name} is not valid TOML: {error}") from error
        reader = _Reader(text, name)
        file = reader.file(values.pop("file", {}))
        tables: list[TableRule] = []
        for table, given in values.items():
            if table not in SOURCE_TABLES:
                reader.fail(f"there is no table '{table}'{_near(table, SOURCE_TABLES)}", table)
            for one in given if isinstance(given, list) else [given]:
                tables.append(reader.table(table, one, main=not tables))
        reader.check_repeats(tables)
        if not tables:
            raise UsageError(f"{name} fills no table; add one, such as [events], with its columns")
        return cls(tuple(tables), file, name=name)

    def to_toml(self) -> str:
        """The mapping as TOML that :meth:`load` reads back to an equal one, with its reasons as comments."""
        lines: list[str] = []
        said = {f.name: getattr(self.file, f.name) for f in fields(FileRule)}
        given = {name: value for name, value in said.items() if value != getattr(FileRule(), name)}
        if given:
            lines += ["[file]", *(f"{key_toml(name)} = {toml(value)}" for name, value in given.items()), ""]
        several = {rule.table for rule in self.tables if sum(r.table == rule.table for r in self.tables) > 1}
        for place, rule in enumerate(self.tables):
            lines.append(f"[[{rule.table}]]" if rule.table in several else f"[{rule.table}]")
            if rule.keep != _usual_keep(rule.table, main=place == 0):
                lines.append(f'keep = "{rule.keep}"')
            for column, source in rule.columns.items():
                reason = self.reasons.get(f"{rule.table}.{column}")
                said_why = f"  # {reason.confidence:.0%}: {one_line(reason.text)}" if reason else ""
                said_how = toml(source.column) if source == ColumnRule(source.column) else settings_toml(source)
                lines.append(f"{key_toml(column)} = {said_how}{said_why}")
            lines.append("")
        if self.unused:
            lines.append("# Columns that are not used:")
            lines += [f"#   {one_line(name)}: {one_line(why)}" for name, why in self.unused.items()]
        return "\n".join(lines).rstrip() + "\n"


class _Reader:
    """Turns parsed TOML into rules and says on which line something is wrong."""

    def __init__(self, text: str, name: str) -> None:
        self.lines, self.name = text.splitlines(), name

    def fail(self, what: str, table: str = "", key: str = "") -> NoReturn:
        line = self._line(table, key)
        raise UsageError(f"{self.name}, line {line}: {what}" if line else f"{self.name}: {what}")

    def file(self, given: Any) -> FileRule:
        if not isinstance(given, dict):
            self.fail("'file' is a table; write [file] and its settings below", "", "file")
        rule = cast(FileRule, self._build(FileRule, given, "file", ""))
        if rule.timezone:
            self._zone(rule.timezone, "file", "timezone")
        if rule.currency and rule.currency not in CURRENCIES:
            self.fail(f"'{rule.currency}' is not an ISO 4217 currency such as KRW", "file", "currency")
        for language in rule.languages:
            if language not in LANGUAGES:
                self.fail(f"'{language}' is not an ISO 639-1 language such as ko", "file", "languages")
        if rule.delimiter and len(rule.delimiter) != 1:
            self.fail("the delimiter is one character", "file", "delimiter")
        if rule.heading_row < 0:
            self.fail("heading_row is the number of a row, from 1", "file", "heading_row")
        self._decimal(rule.decimal, "file", "decimal")
        return rule

    def table(self, table: str, given: Any, *, main: bool) -> TableRule:
        if not isinstance(given, dict):
            self.fail(f"'{table}' is a table; write [{table}] and its columns below", "", table)
        given = dict(given)
        keep = given.pop("keep", _usual_keep(table, main=main))
        if keep not in get_args(Keep):
            self.fail(f"keep is one of {', '.join(get_args(Keep))}, not {keep!r}", table, "keep")
        schema = SOURCE_TABLES[table]
        known = [column.name for column in schema.columns]
        for column in given:
            if column not in known and not schema.open:
                self.fail(f"table '{table}' has no column '{column}'{_near(column, known)}", table, column)
        self._check_names(table, list(given))
        rule = TableRule(table, {name: self.column(schema, name, value) for name, value in given.items()}, keep)
        for column in (*schema.required, *schema.key):
            optional_key = column in schema.key and column not in schema.required
            if column not in rule.columns and column != rule.generated and not optional_key:
                self.fail(f"table '{table}' needs the column '{column}'; say which of the file's it is", table)
        return rule

    def _check_names(self, table: str, columns: Sequence[str]) -> None:
        """See that names of one's own can stand in SQL, which does not tell capitals from small letters."""
        seen: dict[str, str] = {}
        for column in columns:
            small = column.lower()
            several = column == "*" or (column.startswith("^") and column.endswith("$"))
            if small in {"file", "row", "record"} or small.startswith("__") or several or not small.strip():
                self.fail(f"'{column}' is the importer's own name; choose another for the column", table, column)
            if small in seen:
                self.fail(f"'{column}' differs from '{seen[small]}' by capitals only; choose another", table, column)
            seen[small] = column
        for known in SOURCE_TABLES[table].columns:
            if seen.get(known.name, known.name) != known.name:
                odd = seen[known.name]
                self.fail(f"'{odd}' differs from '{known.name}' by capitals only; write '{known.name}'", table, odd)

    def check_repeats(self, tables: Sequence[TableRule]) -> None:
        """See that no two rules can give a table two rows with the same key."""
        for place, rule in enumerate(tables):
            several = sum(other.table == rule.table for other in tables) > 1
            if several and rule.schema.open and not rule.generated:
                self.fail(f"'{rule.table}' can stand once only", rule.table)
            if rule.keep == "all" and not rule.generated and (place or several):
                where = "stands several times" if several else "is not the main table (the first)"
                self.fail(f"'{rule.table}' {where}, so keep is latest or first for it", rule.table, "keep")

    def column(self, schema: Schema, name: str, given: Any) -> ColumnRule:
        table = schema.name
        if isinstance(given, str):
            given = {"column": given}
        elif not isinstance(given, dict):
            self.fail(f"'{name}' is a column's heading or {{ column = ... }}, not {given!r}", table, name)
        if isinstance(given.get("map"), dict):
            given = given | {"map": {key: _text(value) for key, value in given["map"].items()}}
        for key in ("value", "default"):
            if key in given:
                given = given | {key: _text(given[key])}
        rule = cast(ColumnRule, self._build(ColumnRule, given, table, name))
        if sum((bool(rule.column), bool(rule.columns), rule.value is not None)) != 1:
            self.fail(f"'{name}' takes exactly one of column, columns and value", table, name)
        self._check_parts(next((c for c in schema.columns if c.name == name), None), rule, table, name)
        return rule

    def _check_parts(self, column: Column | None, rule: ColumnRule, table: str, name: str) -> None:
        if rule.extract:
            try:
                groups = re.compile(rule.extract).groups
            except re.error as error:
                self.fail(f"extract of '{name}' is not a regular expression ({error})", table, name)
            else:
                if groups > 1:
                    self.fail(f"extract of '{name}' has {groups} groups; one is taken, so write one", table, name)
        if rule.timezone:
            self._zone(rule.timezone, table, name)
        if rule.decimal:
            self._decimal(rule.decimal, table, name)
        if rule.type and column is not None:
            self.fail(f"the type of '{name}' is {column.type}; 'type' is for columns of your own", table, name)
        numeric = column.type in _NUMBERS if column else rule.type == "number"
        if not numeric and (rule.per or rule.times or rule.sum or rule.absolute or rule.scale != 1):
            self.fail(f"'{name}' is no number, so per, times, sum, absolute and scale say nothing of it", table, name)
        if rule.range:
            self._range(column, rule, table, name)
        timely = column.type in {"timestamp", "date"} if column else rule.type == "time"
        if rule.format and not timely:
            self.fail(f"'{name}' is no time, so format says nothing of it", table, name)
        if rule.split and (column is None or column.type != "list"):
            self.fail(f"'{name}' is no list, so split says nothing of it", table, name)

    def _range(self, column: Column | None, rule: ColumnRule, table: str, name: str) -> None:
        if column is None or column.at_least is None or column.at_most is None:
            self.fail(f"'{name}' has no least and most, so range says nothing of it", table, name)
        if len(rule.range) != 2 or rule.range[0] == rule.range[1]:
            self.fail("range is the worst and the best grade of the file, such as [1, 10]", table, name)
        if rule.scale != 1:
            self.fail(f"'{name}' takes range or scale, not both", table, name)

    def _build(self, kind: Any, given: Dict[str, Any], table: str, column: str) -> Any:
        blank = kind()
        values: dict[str, Any] = {}
        for key, value in given.items():
            known = [f.name for f in fields(kind)]
            if key not in known:
                where = f"'{column}' of table '{table}'" if column else f"[{table}]"
                self.fail(f"{where} has no setting '{key}'{_near(key, known)}", table, column or key)
            values[key] = self._typed(kind, key, value, getattr(blank, key), table, column)
        return kind(**values)

    def _typed(self, kind: Any, key: str, value: Any, usual: Any, table: str, column: str) -> Any:
        choices = {
            "format": get_args(Kind) if kind is FileRule else (),
            "type": get_args(Extra),
            "bad": get_args(OnBad),
        }
        if choices.get(key) and value not in choices[key]:
            self.fail(f"{key} is one of {', '.join(choices[key])}, not {value!r}", table, column or key)
        if key == "range":
            if not isinstance(value, list) or any(isinstance(n, bool) or not isinstance(n, int | float) for n in value):
                self.fail(f"range is two numbers, such as [1, 10], not {value!r}", table, column)
            return tuple(map(float, value))
        if isinstance(usual, tuple):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                self.fail(f'{key} is a list of texts, such as ["a", "b"], not {value!r}', table, column or key)
            return tuple(value)
        wanted: type = str if usual is None else type(usual)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        odd = isinstance(value, bool) and wanted is not bool
        if odd or not isinstance(value, dict if wanted is dict else wanted):
            self.fail(f"{key} is a {_CALLED[wanted]}, not {value!r}", table, column or key)
        return value

    def _zone(self, zone: str, table: str, key: str) -> None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"'{zone}' is not a time zone such as Asia/Seoul", table, key)

    def _decimal(self, sign: str, table: str, key: str) -> None:
        if sign not in {".", ","}:
            self.fail(f"the decimal sign is '.' or ',', not {sign!r}", table, key)

    def _line(self, table: str, key: str) -> int:
        """The line of a key in a section, or of the section; 0 where it cannot be found."""
        section, heading = "", 0
        for number, line in enumerate(self.lines, 1):
            match = re.match(r"\s*\[+\s*\"?([\w-]+)\"?\s*(?:\.\s*\"?([\w-]+)\"?\s*)?\]", line)
            if match:
                section = match[1]
                if section == table:
                    heading = heading or number
                    if match[2] and match[2] == key:
                        return number
            elif section == table and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
                return number
        return heading


_CALLED = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: 'table { from = "to" }'}


def _usual_keep(table: str, *, main: bool) -> Keep:
    merged = table in MERGED or not main
    return "latest" if merged else "all"


def _near(name: str, known: Sequence[str] | Dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"; did you mean '{near[0]}'?" if near else ""


def _text(value: Any) -> Any:
    """A constant as text, so that numbers and truths need no quotes in the mapping."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) or hasattr(value, "isoformat") else value
