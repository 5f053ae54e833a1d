"""How the command line speaks: a verb's outcome as text or JSON, an error as one sentence, progress on the side."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from danggol import progress
from danggol.errors import DanggolError


@dataclass(frozen=True)
class Table:
    """Rows to print under headings."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a verb found: figures for programs, lines and tables for people, and the exit code."""

    figures: Mapping[str, Any]
    text: Sequence[str | Table] = field(default_factory=list)
    code: int = 0


def perform(call: Callable[[], Outcome], *, as_json: bool, progress_mode: str, debug: bool) -> int:
    """Run a verb, print what came of it, and return the exit code."""
    mode = progress_mode if progress_mode != "auto" else ("rich" if sys.stderr.isatty() and not as_json else "none")
    try:
        with progress.use(mode):  # type: ignore[arg-type]  # typer has checked the choice
            outcome = call()
        if as_json:
            sys.stdout.write(json.dumps(outcome.figures, ensure_ascii=False, default=str) + "\n")
        else:
            _print(outcome.text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has stopped reading; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        sentence, code = explain(error)
        sys.stderr.write(f"danggol: {sentence}\n")
        return code
    return outcome.code


def explain(error: BaseException) -> tuple[str, int]:
    """One sentence about an error, and the exit code."""
    match error:
        case DanggolError():
            return str(error), error.exit_code
        case KeyboardInterrupt():
            return "stopped; nothing half-written is left", 130
        case MemoryError():
            return f"there is not enough memory ({error}); take fewer rows, or set DANGGOL_MEMORY lower", 1
        case OSError():
            return f"{error.strerror or error}: {error.filename or 'the system refused'}", 1
    first = str(error).splitlines()[0] if str(error) else "no message"
    name = type(error).__name__
    return f"danggol met an error it does not know ({name}: {first}); run again with --debug and report it", 1


def _print(text: Sequence[str | Table]) -> None:
    from rich.console import Console

    # A pipe or file has no width of its own; tables of figures need more than the 80 columns that rich then assumes.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
    console = Console(highlight=False, soft_wrap=True, width=width)
    for part in text:
        if isinstance(part, Table):
            _print_table(console, part)
        else:
            console.print(part, markup=False)


def _print_table(console: Any, table: Table) -> None:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(box=box.SIMPLE_HEAD, title=table.title or None, title_justify="left")
    for index, heading in enumerate(table.headings):
        numbers = any(isinstance(row[index], int | float) for row in table.rows)
        shown.add_column(Text(str(heading)), justify="right" if numbers else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    console.print(shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)
