"""Progress of long work: silent by default, a bar on a terminal, JSON lines for other programs.

The command line chooses the reporter once with :func:`use`; library code only calls :func:`track` or :func:`stage`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")
Mode = Literal["none", "rich", "json"]


class Stage(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: float = 1) -> None:
        """Say that ``amount`` more of the total is done."""

    def say(self, text: str) -> None:
        """Replace the words beside the bar."""


class _Silent:
    def advance(self, amount: float = 1) -> None:
        pass

    def say(self, text: str) -> None:
        pass


class _Json:
    def __init__(self, name: str, total: float | None) -> None:
        self.name, self.total, self.done, self.text = name, total, 0.0, ""
        self.last = 0.0
        self.emit(force=True)

    def emit(self, *, force: bool = False, ended: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self.last < 0.5:
            return
        self.last = now
        line = {"stage": self.name, "done": self.done, "total": self.total, "text": self.text, "ended": ended}
        sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stderr.flush()

    def advance(self, amount: float = 1) -> None:
        self.done += amount
        self.emit()

    def say(self, text: str) -> None:
        self.text = text
        self.emit()


class _Bar:
    def __init__(self, bars: Any, name: str, total: float | None) -> None:
        self.bars, self.name = bars, name
        self.task = bars.add_task(name, total=total)

    def advance(self, amount: float = 1) -> None:
        self.bars.advance(self.task, amount)

    def say(self, text: str) -> None:
        self.bars.update(self.task, description=f"{self.name}: {text}")


_mode: ContextVar[Mode] = ContextVar("danggol_progress_mode", default="none")
_bars: ContextVar[Any] = ContextVar("danggol_progress_bars", default=None)


@contextmanager
def use(mode: Mode) -> Iterator[None]:
    """Report progress in ``mode`` within the block: ``none``, ``rich`` (bars) or ``json`` (lines), on stderr."""
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


@contextmanager
def stage(name: str, total: float | None = None) -> Iterator[Stage]:
    """Open a named stage of long work; ``total`` is in whatever unit :meth:`Stage.advance` is called with."""
    mode = _mode.get()
    if mode == "json":
        line = _Json(name, total)
        yield line
        line.emit(force=True, ended=True)
    elif mode == "rich":
        yield from _with_bar(name, total)
    else:
        yield _Silent()


def _with_bar(name: str, total: float | None) -> Iterator[Stage]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bars = _bars.get()
    if bars is not None:
        bar = _Bar(bars, name, total)
        yield bar
        bars.remove_task(bar.task)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        token = _bars.set(bars)
        try:
            yield _Bar(bars, name, total)
        finally:
            _bars.reset(token)


def track(items: Iterable[T], name: str, total: float | None = None) -> Iterator[T]:
    """Yield ``items`` while reporting how many are done."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with stage(name, total) as under_way:
        for item in items:
            yield item
            under_way.advance()
