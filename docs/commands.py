"""Writes the page of commands from the command line's own help, so that the two cannot disagree."""

from pathlib import Path
from typing import Any

import typer

from danggol.cli import app

INTRODUCTION = """# Commands

Every verb takes `--json` (figures as JSON), `--progress auto|rich|json|none` and `--debug` (a traceback with an error),
and exits 0 when done, 1 when the data break a rule, 2 when the call is wrong.
"""
_COMMON = {"json", "progress", "debug", "help"}


def write_commands_page(path: Path) -> None:
    """Write the page."""
    path.write_text(INTRODUCTION + "".join(_pages(typer.main.get_command(app), "danggol")), "utf8")


def _pages(group: Any, words: str) -> list[str]:
    pages = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            pages += _pages(command, f"{words} {name}")
        else:
            pages.append(_page(command, f"{words} {name}"))
    return pages


def _page(command: Any, words: str) -> str:
    text, _, example = command.help.partition("Example: ")
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name not in _COMMON]
    usage = " ".join([words, *(str(p.metavar) for p in arguments)])
    lines = [f"\n## {words}\n", text.strip() + "\n", f"```text\n{usage}\n\n{example.strip()}\n```\n"]
    if options:
        lines += ["| option | meaning | default |", "|---|---|---|"]
        lines += [f"| `{', '.join(p.opts)}` | {p.help} | {_default(p)} |" for p in options]
    return "\n".join(lines) + "\n"


def _default(option: Any) -> str:
    return "" if option.default in (None, "") or option.default is False else str(option.default)
