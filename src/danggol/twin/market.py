"""A market's parameters: read from a versioned TOML file, validated, refused with the line and the reason.

``markets/default.toml`` holds every parameter with its meaning, unit, range and source; nothing has a default in code.
Another file may name a ``base`` and give only what differs.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ValidationError

from danggol.errors import UsageError
from danggol.twin.parameters import Parameters, unknown
from danggol.twin.toml_lines import line_of

FORMAT = 1
"""The layout of market files that this package knows."""


@dataclass(frozen=True)
class MarketFile:
    """A market file: its parameters and the digest of what they say."""

    parameters: Parameters
    digest: str

    @property
    def name(self) -> str:
        """The name that the market file gives."""
        return self.parameters.name

    @classmethod
    def load(cls, market: str | Path) -> Self:
        """Read a market by its name (``default``, ``small``) or from a TOML file; UsageError with line and reason."""
        text, where = _text(market)
        values, origin = _merged(text, where)
        try:
            parameters = Parameters(**values)
        except ValidationError as error:
            raise UsageError(_sentence(error, text, where, origin)) from error
        digest = hashlib.sha256(parameters.model_dump_json().encode()).hexdigest()[:16]
        return cls(parameters, digest)


def names() -> list[str]:
    """The markets that come with the package."""
    folder = files("danggol.twin").joinpath("markets")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _text(market: str | Path) -> tuple[str, str]:
    """The text of a market file and what to call it."""
    if isinstance(market, str) and market in names():
        return files("danggol.twin").joinpath("markets", f"{market}.toml").read_text("utf8"), f"the market '{market}'"
    path = Path(market)
    if isinstance(market, str) and not path.suffix and not path.exists():
        raise UsageError(f"{unknown(market, tuple(names()), 'market')} (or give the path of a TOML file)")
    try:
        return path.read_text("utf8"), str(market)
    except OSError as error:
        raise UsageError(f"cannot read the market file {market}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"{market}, line {line}: the file is not UTF-8 text") from error


def _merged(text: str, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of a market file laid over those of its base, and the file's own values."""
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (?:line (\d+)|end of document)", str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        raise UsageError(f"{where}, line {line}: not valid TOML: {str(error).split(' (at')[0].lower()}") from error
    version = own.get("format")
    if version != FORMAT:
        line = line_of(text, ("format",))
        said = "the file does not say its format" if version is None else f"format {version!r} is not known"
        raise UsageError(f"{where}, line {line}: {said}; this package reads format = {FORMAT}")
    base = own.get("base")
    if base is None:
        return own, own
    if base not in names():
        line = line_of(text, ("base",))
        raise UsageError(f"{where}, line {line}: {unknown(str(base), tuple(names()), 'market to build on')}")
    under, _ = _merged(*_text(base))
    return _overlay(under, {name: value for name, value in own.items() if name != "base"}), own


_WHOLE = {"countries", "culture", "title_languages", "origins"}
"""Tables that a file replaces as a whole, because their names are data."""


def _overlay(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = under.get(name)
        if isinstance(value, dict) and isinstance(below, dict) and name not in _WHOLE:
            merged[name] = _overlay(below, value)
        else:
            merged[name] = value
    return merged


def _sentence(error: ValidationError, text: str, where: str, own: Mapping[str, Any]) -> str:
    """One sentence for the first thing that is wrong: file, line, parameter, reason."""
    # A misspelt name leaves the right one missing too: the misspelling is what to say.
    first = min(error.errors(), key=lambda one: one["type"] == "missing")
    path = tuple(first["loc"])
    line = line_of(text, path)
    name = ".".join(str(part) for part in path) or "the file"
    if first["type"] == "extra_forbidden":
        known = _fields(Parameters, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
        reason = f"unknown parameter '{name}'; {hint}"
    elif first["type"] == "missing":
        hint = "" if "base" in own else ' (or say base = "default" to take what is not given from there)'
        reason = f"parameter '{name}' is missing{hint}"
    else:
        said = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
        reason = f"parameter '{name}': {said}"
        if first["type"] != "value_error":
            reason += f", got {first['input']!r}"
    return f"{where}, line {line}: {reason}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The names that a model knows at ``path``."""
    for part in path:
        if isinstance(part, int):
            continue
        kind = model.model_fields[part].annotation
        inner = [kind, *get_args(kind)]
        model = next(one for one in inner if isinstance(one, type) and issubclass(one, BaseModel))
    return list(model.model_fields)
