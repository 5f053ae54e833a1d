"""Settings: one frozen, typed, validated object per capability, from keywords, a TOML file or ``name=value`` pairs."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from danggol.errors import UsageError


class Settings(BaseModel):
    """Frozen and strict about names; build with :meth:`of`, so that mistakes become one clear sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, values: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Validate ``values`` and ``more``; an unknown name is an error that names the nearest known one."""
        given = {**(values or {}), **more}
        known = list(cls.model_fields)
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                raise UsageError(f"unknown setting '{name}'{hint} (known: {', '.join(known)})")
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or cls.__name__
            raise UsageError(f"setting '{where}': {first['msg']}, got {first['input']!r}") from error

    @classmethod
    def load(cls, path: Path | None = None, pairs: Iterable[str] = ()) -> Self:
        """Read a TOML file, then let ``name=value`` pairs override it."""
        values: dict[str, Any] = {}
        if path is not None:
            try:
                values = tomllib.loads(path.read_text("utf8"))
            except OSError as error:
                raise UsageError(f"cannot read the settings file {path}: {error.strerror}") from error
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"the settings file {path} is not valid TOML: {error}") from error
        for pair in pairs:
            name, sign, text = pair.partition("=")
            if not sign:
                raise UsageError(f"'{pair}' is not of the form name=value")
            values[name.strip()] = _value(text.strip())
        return cls.of(values)


def _value(text: str) -> Any:
    """Read a value as JSON where it is JSON, else as the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
