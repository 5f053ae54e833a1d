"""Propose a mapping for a file from its headings and values, with a reason for every column; a person decides."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from danggol.errors import DataError, UsageError
from danggol.shop.sources.csv import Preview, preview
from danggol.shop.sources.guess.drafting import Draft
from danggol.shop.sources.guess.evidence import find_meanings
from danggol.shop.sources.guess.titles import settle_title
from danggol.shop.sources.mapping.rules import Mapping
from danggol.shop.sources.reading.sheets import filled_sheets
from danggol.shop.sources.reading.tables import FileRule, is_workbook, open_rows
from danggol.shop.versions import write_text

SAMPLE = 2_000
"""Rows that a proposal rests on."""


@dataclass(frozen=True)
class Proposal:
    """A proposed mapping, and how to show it."""

    mapping: Mapping
    toml: str
    preview: Preview
    text: str
    figures: Dict[str, Any]
    """The same for programs."""


def propose(path: str | Path, save_to: str | Path | None = None, rows: int = 5) -> Proposal:
    """Propose a mapping, show what ``rows`` rows would become, and keep the mapping in a file if asked to."""
    mapping = guess(path)
    toml = mapping.to_toml()
    shown = preview(path, mapping, rows)
    saved = ""
    if save_to is not None:
        try:
            write_text(Path(save_to), toml)
        except OSError as error:
            raise UsageError(f"the mapping cannot be written to {save_to}: {error.strerror}") from error
        saved = f"The mapping is kept in {save_to}."
    figures = {
        "mapping": toml,
        "confidence": round(mapping.confidence, 2),
        "columns": {
            name: {"confidence": round(r.confidence, 2), "reason": r.text} for name, r in mapping.reasons.items()
        },
        "unused": dict(mapping.unused),
        "saved": str(save_to) if save_to is not None else None,
    }
    return Proposal(mapping, toml, shown, _shown(Path(path).name, mapping, toml, shown, rows, saved), figures)


def guess(path: str | Path) -> Mapping:
    """A mapping for a file; ``reasons`` says how sure each column is and why, ``unused`` what is left out.

    DataError where the headings and values do not tell what the rows are.
    """
    path = Path(path)
    rule, passed_over = FileRule(), {}
    if is_workbook(path):
        sheets = filled_sheets(path)
        if len(sheets) > 1:
            rule = FileRule(sheet=max(sheets, key=lambda name: sheets[name]))
            passed_over = {f"sheet {name}": "another sheet; import it with a mapping of its own" for name in sheets}
            del passed_over[f"sheet {rule.sheet}"]
    file = open_rows(path, rule)
    batch = next(file.batches(SAMPLE), None)
    if batch is not None and batch.rejects.height and not batch.rows.height:
        raise DataError(
            f"none of the first {batch.rejects.height:,} rows of {file.label} fits its headings "
            f"({batch.rejects['reason'][0]}); write a mapping that says its heading_row or delimiter under [file]"
        )
    if batch is None or not batch.rows.height:
        raise DataError(f"{file.label} has no rows to propose a mapping from; give a file with rows")
    found = settle_title(batch.rows, file.columns, find_meanings(batch.rows, file.columns))
    guessing = Draft(file.label, file.columns, batch.rows, found)
    return guessing.mapping(rule, passed_over)


def _shown(name: str, mapping: Mapping, toml: str, made: Preview, rows: int, saved: str) -> str:
    """The proposal for people: the mapping, then what the first rows would become."""
    parts = [f"A mapping for {name}, from its headings and first rows; please check it:", "", toml.rstrip(), ""]
    with pl.Config(
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_rows=rows,
        tbl_cols=-1,
        fmt_str_lengths=24,
        tbl_width_chars=160,
        tbl_formatting="ASCII_MARKDOWN",
    ):
        for table, frame in made.tables.items():
            first = frame.head(rows)
            filled = [column for column in first.columns if first[column].null_count() < first.height]
            parts += [f"{table}, from the first {rows} rows:", str(first.select(filled or first.columns)), ""]
        for what, frame in (("would be rejected", made.rejects), ("would leave a value out", made.flaws)):
            if frame.height:
                parts += [
                    f"Of the first {rows} rows these {what}:",
                    str(frame.select("row", "column", "reason").head(rows)),
                    "",
                ]
    if not mapping.file.timezone:
        parts.append(
            "Times that do not say their zone are read in the shop's; say timezone under [file] if that is wrong."
        )
    unsure = [
        f"{column} ({reason.confidence:.0%})" for column, reason in mapping.reasons.items() if reason.confidence < 0.6
    ]
    if unsure:
        parts.append(f"Least sure: {', '.join(unsure)}.")
    parts += [saved] if saved else []
    return "\n".join(parts).rstrip()
