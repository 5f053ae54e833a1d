"""How the command line speaks: a verb's outcome as text or JSON, an error as one sentence, progress on the side."""

from __future__ import annotations

import codecs
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


_SPELLED = {"✓": "v", "✗": "x", "–": "-", "—": "-", "−": "-", "…": "..."}
"""How signs are spelled where the terminal's encoding (CP949, ASCII) has none."""
_LONGEST = 1_000
"""Characters of an error; what is left out stands in the middle, as the end says what to do."""


def run(app: Callable[..., Any]) -> int:
    """Run the command line and return its exit code; a wrong call is one sentence too."""
    _prepare_streams()
    try:
        return app(prog_name="danggol", standalone_mode=False) or 0
    except SystemExit as leaving:
        # rich leaves with 1 when whoever read our output has stopped, which is no failure of ours
        if isinstance(leaving.__context__, BrokenPipeError):
            return 0
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):
            sentence, code = explain(error)
            sys.stderr.write(f"danggol: {plain(sentence)}\n")
            return code
        if not error.format_message():  # no words at all: the help stands on stdout
            return 2
        path = getattr(getattr(error, "ctx", None), "command_path", "danggol")
        sentence = " ".join(error.format_message().split()).rstrip(".")
        sys.stderr.write(f"danggol: {plain(sentence)}; see '{path} --help'\n")
        return 2


def perform(call: Callable[[], Outcome], *, as_json: bool, progress_mode: str, debug: bool) -> int:
    """Run a verb, print what came of it, and return the exit code."""
    mode = progress_mode if progress_mode != "auto" else ("rich" if sys.stderr.isatty() and not as_json else "none")
    try:
        with progress.use(mode):  # type: ignore[arg-type]  # typer has checked the choice
            outcome = call()
        if as_json:
            readable = (sys.stdout.encoding or "").lower().startswith("utf")
            sys.stdout.write(json.dumps(outcome.figures, ensure_ascii=not readable, default=str) + "\n")
        else:
            _print(outcome.text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has stopped reading; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        sentence, code = explain(error)
        sys.stderr.write(f"danggol: {plain(sentence)}\n")
        return code
    return outcome.code


def plain(text: str) -> str:
    """A text as one line without control characters, cut in the middle where it is long."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"


def _prepare_streams() -> None:
    """Let whatever the encoding lacks be spelled otherwise, and closed streams swallow what is written."""
    codecs.register_error("spelled", lambda error: (_spelled(error), error.end))  # type: ignore[attr-defined]
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spelled")


def _spelled(error: Any) -> str:
    return "".join(_SPELLED.get(letter, "?") for letter in error.object[error.start : error.end])


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
            console.print(_visible(part), markup=False)


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
    return _visible(str(value))


def _visible(text: str) -> str:
    """A text whose control characters cannot move the cursor or colour the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
