"""The application, how a verb is registered, and the arguments that several verbs share."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from danggol import __version__
from danggol.console import Outcome, perform
from danggol.errors import UsageError

HELP = "Who will buy what, in which country, why, and what to do about it: from the tables a shop already has."

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


class ProgressMode(StrEnum):
    """How progress is shown."""

    AUTO = "auto"
    RICH = "rich"
    JSON = "json"
    NONE = "none"


ShopPath = Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of everything random.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated.")]
SettingsFile = Annotated[Path | None, typer.Option("--settings", metavar="FILE", help="A TOML file of settings.")]
Market = Annotated[str, typer.Option(metavar="FILE", help="A market file, or the name of one that danggol has.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of the rows that are there.")]
Append = Annotated[bool, typer.Option("--append", help="Add to the rows that are there.")]
ModelDir = Annotated[Path | None, typer.Option(metavar="DIR", help="A saved model; trained anew if not said.")]
MatcherDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A saved matcher; the shop's own, else rules, if not said.")
]
Days = Annotated[float, typer.Option(help="How many days after the cut purchases are counted.")]

_COMMON = [
    ("json", "--json", bool, False, "Print figures as JSON."),
    ("progress", "--progress", ProgressMode, ProgressMode.AUTO, "How to show progress."),
    ("debug", "--debug", bool, False, "Print a traceback with an error."),
]


def verb(on: typer.Typer, name: str, example: str) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Register a verb: its own options, then those that every verb has; the example closes its help."""

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        def command(**given: Any) -> None:
            as_json, mode, debug = (given.pop(option) for option in ("json", "progress", "debug"))

            def call() -> Outcome:
                _refuse_broken_text(given)
                return function(**given)

            raise SystemExit(perform(call, as_json=as_json, progress_mode=str(mode), debug=debug))

        own = inspect.signature(function, eval_str=True)
        common = [
            inspect.Parameter(
                field,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, typer.Option(flag, help=text)],
            )
            for field, flag, kind, default, text in _COMMON
        ]
        command.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*own.parameters.values(), *common], return_annotation=None
        )
        on.command(name, help=f"{inspect.getdoc(function)}\n\nExample: {example}")(command)
        return function

    return register


def _refuse_broken_text(given: dict[str, Any]) -> None:
    """UsageError where a word of the call is no text, such as a file name in another encoding."""
    for value in given.values():
        for word in value if isinstance(value, list) else [value]:
            try:
                str(word).encode()
            except UnicodeEncodeError as error:
                raise UsageError(f"{str(word)!r} is not UTF-8 text; rename the file or write the word anew") from error


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        sys.stdout.write(f"danggol {__version__}\n")
        raise typer.Exit
