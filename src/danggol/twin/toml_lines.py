"""Where each value of a TOML text stands, so that a refused parameter can be named with its line.

``tomllib`` reads values but not their places. This walks the text of a *valid* document once and notes the line of
every key, also inside inline tables and arrays that run over several lines.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_STRING = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'')
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Walk:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def skip(self) -> str:
        """Pass blanks and comments; the next character, empty at the end."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"cannot follow the text at line {self.line()}")
        self.at = found.end()
        return found.group()

    def key(self) -> Path:
        parts: list[str | int] = []
        while True:
            self.skip()
            parts.append(self.take(_KEY).strip("\"'"))
            if self.skip() != ".":
                return tuple(parts)
            self.at += 1

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.line())

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while self.skip():
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def header(self) -> Path:
        several, here = self.text.startswith("[[", self.at), self.line()
        self.at += 2 if several else 1
        path = self.key()
        self.at += 2 if several else 1
        if several:
            number = self.arrays.get(path, -1) + 1
            self.arrays[path] = number
            path = (*path, number)
        elif path[:1] in self.arrays and len(path) > 1:
            path = (path[0], self.arrays[path[:1]], *path[1:])
        self.lines.setdefault(path, here)
        return path

    def pair(self, table: Path) -> None:
        self.skip()
        here = self.line()
        path = (*table, *self.key())
        self.lines.setdefault(path, here)
        self.at += 1
        self.value(path)

    def value(self, path: Path) -> None:
        start = self.skip()
        if start == "[":
            self.array(path)
        elif start == "{":
            self.inline(path)
        elif start in "\"'":
            self.take(_STRING)
        else:
            self.take(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        number = 0
        while self.skip() != "]":
            self.note((*path, number))
            self.value((*path, number))
            number += 1
            if self.skip() == ",":
                self.at += 1
        self.at += 1

    def inline(self, path: Path) -> None:
        self.at += 1
        while self.skip() != "}":
            self.pair(path)
            if self.skip() == ",":
                self.at += 1
        self.at += 1


def line_of(text: str, path: Path) -> int:
    """The line, from 1, of what stands at ``path`` in a valid TOML ``text``, or else of the nearest key around it."""
    lines = _Walk(text).document()
    for length in range(len(path), 0, -1):
        inside = [line for found, line in lines.items() if found[:length] == path[:length]]
        if path[:length] in lines or inside:
            return lines.get(path[:length], min(inside, default=1))
    return 1
