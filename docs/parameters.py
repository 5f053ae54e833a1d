"""Writes the page of a market's parameters from the market files themselves, so that the two cannot disagree.

A comment of ``default.toml`` reads ``[range, unit] meaning; source``, where the source begins with one of
:data:`SOURCES`. It stands behind the value or above it; the fields of inline tables are told one a line above them,
``# field: [range, unit] meaning; source``, and so are those that several sections have in common.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from danggol.twin import MarketFile
from danggol.twin.market import names

SOURCES = ("assumed", "chosen", "fact")
"""About the world, and nobody measured it for this market; free to choose; from somewhere, which it says."""

INTRODUCTION = """# Parameters of a market

Written from `src/danggol/twin/markets/*.toml`, where every parameter stands with its comment. The equations that they
enter are under [The model](twin-equations.md), how to write a market file under
[A simulated market](twin.md#a-market-of-your-own).

*assumed*: a statement about the world that nobody measured for this market. *chosen*: a size or a name, free to choose.
*fact*: from somewhere, which is said. Share: a number from 0 to 1. Log-odds: the scale of the choice model. sd:
standard deviation. Values are those of the market `default`.
"""

_SECTION = re.compile(r"\[([a-z_.]+)\](?:\s+# (.*))?$")
_ENTRY = re.compile(r"([A-Za-z_]+) = (.*?)(?:\s+# (.*))?$")
_FIELD = re.compile(r"([a-z_]+): (\[.*)")
_COMMENT = re.compile(rf"\[([^\]]+)\] (.+); ((?:{'|'.join(SOURCES)})\b.*)")


@dataclass(frozen=True)
class Told:
    """What a comment says of a parameter."""

    range: str
    meaning: str
    source: str


@dataclass
class Comments:
    """The comments of a market file."""

    told: dict[str, Told] = field(default_factory=dict)
    """By path: ``people.unknown``, ``goods.category.price``, ``sensitivity.base`` (of all its sections)."""
    intro: dict[str, str] = field(default_factory=dict)
    """What is said above a section, or behind its heading."""
    unread: dict[str, str] = field(default_factory=dict)
    """Comments that do not read ``[range, unit] meaning; source``, by path."""

    @classmethod
    def of(cls, text: str) -> Comments:
        """Read them."""
        found, section, waiting = cls(), "", []
        for line in text.splitlines():
            if line.startswith("#"):
                waiting.append(line.removeprefix("#").removeprefix(" "))
                continue
            if heading := _SECTION.match(line):
                section = heading[1]
                group = section.split(".", maxsplit=1)[0]
                found._add_fields(group, waiting)
                found.intro[section] = heading[2] or ""
                if above := " ".join(_plain(waiting)):
                    found.intro[group] = above
            elif entry := _ENTRY.match(line):
                path = f"{section}.{entry[1]}" if section else entry[1]
                found._add_fields(path, waiting)
                if comment := entry[3] or " ".join(_plain(waiting)):
                    found._add(path, comment)
            waiting = []
        return found

    def _add_fields(self, path: str, lines: list[str]) -> None:
        joined: list[str] = []
        for line in lines:
            if _FIELD.match(line):
                joined.append(line)
            elif joined and line.startswith("  "):
                joined[-1] += f" {line.strip()}"
        for line in joined:
            name, comment = line.split(": ", maxsplit=1)
            self._add(f"{path}.{name}", comment)

    def _add(self, path: str, comment: str) -> None:
        if said := _COMMENT.fullmatch(comment):
            self.told[path] = Told(*said.groups())
        else:
            self.unread[path] = comment


def _plain(lines: list[str]) -> list[str]:
    """The lines of a comment that tell no field."""
    kept, inside = [], False
    for line in lines:
        inside = bool(_FIELD.match(line)) or (inside and line.startswith("  "))
        if not inside:
            kept.append(line.strip())
    return kept


def market_text(name: str) -> str:
    """The text of a market that comes with the package."""
    return files("danggol.twin").joinpath("markets", f"{name}.toml").read_text("utf8")


def write_parameters_page(path: Path) -> None:
    """Write the page."""
    comments, values = Comments.of(market_text("default")), tomllib.loads(market_text("default"))
    parts = [
        INTRODUCTION,
        "## Of the file\n",
        *_table(comments, "", {key: values[key] for key in ("format", "name")}),
        "",
    ]
    for name, section in values.items():
        if name == "countries":
            shares = "; ".join(f"{code} {share:g}" for code, share in section.items())
            parts += ["## countries\n", f"{comments.intro[name]}\n", f"{shares}.\n"]
        elif name == "shock":
            parts += ["## shock\n", f"{comments.unread[name]}\n", *_rows(comments, name, section), ""]
        elif name == "sensitivity":
            parts += [*_sensitivities(comments, section), ""]
        elif isinstance(section, dict):
            parts += [*_section(comments, name, section), ""]
    path.write_text("\n".join([*parts, *_differences()]) + "\n", "utf8")


def _section(comments: Comments, name: str, section: Mapping[str, Any]) -> list[str]:
    lists = {key: value for key, value in section.items() if f"{name}.{key}" not in comments.told}
    lines = [f"## {name}\n", *_paragraph(comments.intro.get(name, ""))]
    lines += _table(comments, f"{name}.", {key: value for key, value in section.items() if key not in lists})
    for key, rows in lists.items():
        lines += ["", f"### {name}.{key}\n", *_rows(comments, f"{name}.{key}", rows)]
    return lines


def _paragraph(text: str) -> list[str]:
    return [f"{text}\n"] if text else []


def _table(comments: Comments, prefix: str, values: Mapping[str, Any]) -> list[str]:
    lines = ["| parameter | value | range, unit | meaning | source |", "|---|---|---|---|---|"]
    for name, value in values.items():
        said = comments.told[prefix + name]
        lines.append(f"| `{name}` | {shown(value)} | {said.range} | {said.meaning} | {said.source} |")
    return lines


def _rows(comments: Comments, path: str, rows: list[dict[str, Any]]) -> list[str]:
    """A list of tables: what its fields mean, then its rows."""
    fields = [name.rpartition(".")[2] for name in comments.told if name.rpartition(".")[0] == path]
    lines = ["| field | range, unit | meaning | source |", "|---|---|---|---|"]
    for name in fields:
        said = comments.told[f"{path}.{name}"]
        lines.append(f"| `{name}` | {said.range} | {said.meaning} | {said.source} |")
    if rows:
        lines += ["", f"| {' | '.join(f'`{name}`' for name in fields)} |", "|---" * len(fields) + "|"]
        lines += [f"| {' | '.join(shown(row[name]) for name in fields)} |" for row in rows]
    return lines


def _sensitivities(comments: Comments, sections: Mapping[str, Any]) -> list[str]:
    keys = ("base", "culture", "country_sd", "person_sd")
    lines = ["## sensitivity\n", f"{comments.intro['sensitivity']}\n"]
    lines += ["| parameter | range, unit | meaning | source |", "|---|---|---|---|"]
    for key in keys:
        said = comments.told[f"sensitivity.{key}"]
        lines.append(f"| `{key}` | {said.range} | {said.meaning} | {said.source} |")
    lines += ["", f"| term | what it is | {' | '.join(f'`{key}`' for key in keys)} |", "|---|---|---|---|---|---|"]
    for term, section in sections.items():
        held = " | ".join(shown(section[key]) for key in keys)
        lines.append(f"| `{term}` | {comments.intro[f'sensitivity.{term}']} | {held} |")
    return lines


def _differences() -> list[str]:
    """What the other markets of the package say, beside the default."""
    lines = ["## The other markets\n", "What is not given there is as in `default`.\n"]
    for name in (name for name in names() if name != "default"):
        own = tomllib.loads(market_text(name))
        above = market_text(name).split("\nformat", maxsplit=1)[0]
        lines += [f"### {name}\n", " ".join(line.removeprefix("# ") for line in above.splitlines()) + "\n"]
        lines += ["| parameter | value | default |", "|---|---|---|"]
        default = MarketFile.load("default").parameters.model_dump(mode="json")
        for path, value in _flat({key: own[key] for key in own if key not in ("format", "base", "name")}):
            usual: Any = default
            for part in path:
                usual = usual[part]
            lines.append(f"| `{'.'.join(path)}` | {shown(value)} | {shown(_said(usual))} |")
        lines.append("")
    return lines


def _flat(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    whole = {"countries", "culture", "title_languages", "origins"}
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in table.items():
        if isinstance(value, dict) and name not in whole:
            found += _flat(value, (*path, name))
        else:
            found.append(((*path, name), value))
    return found


def _said(value: Any) -> Any:
    """A table of culture without the dimensions that have no effect."""
    return {name: one for name, one in value.items() if one} if isinstance(value, dict) else value


def shown(value: Any) -> str:
    """A value in a cell of a table."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(shown(one) for one in value) or "empty"
    return str(value).lower() if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else str(value)
