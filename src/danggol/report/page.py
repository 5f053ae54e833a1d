"""The report: one HTML file that opens offline, in English and Korean."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from danggol.errors import UsageError
from danggol.progress import stage
from danggol.report import words
from danggol.report.pictures import Pictures
from danggol.report.sections import (
    contents,
    examples,
    headline,
    modalities,
    origin,
    prediction,
    questions,
    reviews,
    same,
)
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.shop import Shop


def build_report(shop: Shop, path: str | Path | None = None) -> Path:
    """Write the shop's report to ``path`` (default ``report/index.html`` in the shop) and return where it is.

    The same tables give the same bytes. UsageError where the file cannot be written.
    """
    target = Path(path) if path is not None else shop.path / "report" / "index.html"
    if target.is_dir():
        target = target / "index.html"
    with stage("report", total=5) as under_way:
        under_way.say("tables")
        pictures = Pictures(shop)
        shown = contents.gather(shop, pictures)
        under_way.advance()
        under_way.say("prediction")
        predicted = prediction.gather(shop)
        under_way.advance()
        under_way.say("recommendations")
        listed = examples.gather(shop, pictures)
        under_way.advance()
        html = _render(
            shop=shop,
            contents=shown,
            prediction=predicted,
            modalities=modalities.gather(shop),
            examples=listed,
            same=same.gather(shop, pictures),
            reviews=reviews.gather(shop, pictures),
            findings=headline.findings(shown, predicted, listed),
            questions=questions.gather(shop),
            runs=origin.gather(shop),
        )
        under_way.advance()
        _write(target, html)
        under_way.advance()
    return target


def _render(**parts: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    script = _text("script.js").strip()
    environment = Environment(
        loader=PackageLoader("danggol.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        say=words.say,
        term=words.term,
        day=words.day,
        count=words.count,
        figure=words.figure,
        digits=words.digits,
        signed=words.signed,
        interval=words.interval,
        percent=words.percent,
    )
    page = environment.get_template("page.html.jinja").render(
        style=Markup(_text("style.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        language="ko" if parts["shop"].config.languages[:1] == ("ko",) else "en",
        version=__version__,
        **parts,
    )
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


def _text(name: str) -> str:
    return files("danggol.report").joinpath("templates", name).read_text("utf8")


def _write(target: Path, html: str) -> None:
    """Put the file in place whole or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".report-", suffix=".html")
        staged = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf8", newline="\n") as file:
                file.write(html)
                file.flush()
                os.fsync(file.fileno())
            staged.chmod(0o644)
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"the report cannot be written to {target}: {error.strerror}") from error
