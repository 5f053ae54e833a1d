"""Values written as TOML."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, Field, fields
from typing import Any


def toml(value: Any) -> str:
    """A text, truth, number, tuple or dictionary as TOML on one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key_toml(k)} = {toml(v)}" for k, v in value.items()) + " }"
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def key_toml(name: str) -> str:
    """A key, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def settings_toml(settings: Any) -> str:
    """A dataclass as an inline table of the fields that are not as usual."""
    given = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return toml({f.name: given[f.name] for f in fields(settings) if given[f.name] != _usual(f)})


def one_line(text: str) -> str:
    """A text as a comment can hold it: without line breaks and what cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _usual(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()
