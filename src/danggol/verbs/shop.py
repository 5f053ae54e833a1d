"""What the verbs on a shop's tables do: simulate, import, check, doctor, report, export, forget, clean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from danggol.console import Outcome, Table
from danggol.errors import UsageError
from danggol.shop import Shop

if TYPE_CHECKING:
    from danggol.shop.sources import ImportReport

_SIZES = ("bytes", "KB", "MB", "GB", "TB")


def size(amount: float) -> str:
    """A number of bytes in words."""
    step = 0
    while amount >= 1000 and step < len(_SIZES) - 1:
        amount, step = amount / 1000, step + 1
    return f"{amount:.0f} {_SIZES[step]}" if step == 0 else f"{amount:.1f} {_SIZES[step]}"


def simulate(path: Path, *, market: str, seed: int, scale: float, replace: bool) -> Outcome:
    """Fill a shop from a simulated market."""
    from danggol.twin import simulate as simulate_market

    figures = simulate_market(path, market=market, seed=seed, scale=scale, replace=replace)
    rows = [(name, count) for name, count in figures["tables"].items()]
    return Outcome(
        figures,
        [
            f"Simulated market '{market}' with seed {seed} in {path}.",
            Table(("table", "rows"), rows),
            "Its truth is in truth/.",
        ],
    )


def import_(
    source: str,
    path: Path,
    shop: Path,
    *,
    mapping: Path | None,
    guess: bool,
    save_mapping: Path | None,
    yes: bool,
    append: bool,
    replace: bool,
) -> Outcome:
    """Bring tables into a shop, or only show what the headings seem to mean."""
    from danggol.shop.sources import find_source, import_source

    if append and replace:
        raise UsageError("--append and --replace exclude each other; choose one")
    find_source(source)
    if source != "csv" and (mapping or guess or save_mapping or yes):
        raise UsageError(f"--mapping, --guess, --save-mapping and --yes belong to the source csv, not to {source}")
    if guess and mapping:
        raise UsageError("--guess proposes a mapping and --mapping gives one; choose one")
    if not guess and (yes or save_mapping):
        raise UsageError("--yes and --save-mapping say what to do with a proposal; add --guess")
    said: list[str | Table] = []
    options: dict[str, str] = {}
    if source == "csv":
        if guess:
            from danggol.shop.sources.guess import propose

            proposal = propose(path, save_to=save_mapping)
            said.append(proposal.text)
            if not yes:
                said.append(_next_after_guess(path, shop, save_mapping))
                return Outcome(proposal.figures, said)
            options["mapping_text"] = proposal.toml
        elif mapping is None:
            raise UsageError("the source csv needs --mapping FILE, or --guess to propose one")
        else:
            options["mapping"] = str(mapping)
    mode = "append" if append else "replace" if replace else "refuse"
    report = import_source(source, path, shop, mode=mode, options=options)  # type: ignore[arg-type]
    return Outcome(_import_figures(report), [*said, *_import_words(report)])


def _next_after_guess(path: Path, shop: Path, saved: Path | None) -> str:
    again = f"danggol import csv {path} {shop}"
    if saved:
        return f"The shop was not touched. Edit the mapping if need be, then: {again} --mapping {saved}"
    return f"The shop was not touched. To import like this: {again} --guess --yes. To edit first: --save-mapping FILE"


def _import_figures(report: ImportReport) -> dict[str, Any]:
    return {
        "source": report.source,
        "shop": str(report.shop),
        "rows": report.rows,
        "kept": report.kept,
        "rejected": dict(report.rejected),
        "flaws": dict(report.flaws),
        "tables": dict(report.tables),
        "first": report.first,
        "last": report.last,
        "notes": list(report.notes),
        "seconds": round(report.seconds, 2),
    }


def _import_words(report: ImportReport) -> list[str | Table]:
    rejected = sum(report.rejected.values())
    said: list[str | Table] = [
        f"Read {report.rows:,} rows of {report.path.name} in {report.seconds:.1f} s: "
        f"{report.kept:,} kept, {rejected:,} not usable."
    ]
    if report.first and report.last:
        said.append(f"From {report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}.")
    said.append(Table(("table", "rows written"), list(report.tables.items())))
    if report.rejected:
        said.append(Table(("not usable because", "rows"), list(report.rejected.items())))
        said.append("They are in the table 'rejects', each with its row and reason.")
    if report.flaws:
        said.append(Table(("kept, but without a part", "rows"), list(report.flaws.items())))
        said.append("The parts left out are in the table 'rejects' too, each with its row and value.")
    said += list(report.notes)
    said.append(f"Next: danggol check {report.shop}, danggol doctor {report.shop}")
    return said


def check(path: Path, *, most: int) -> Outcome:
    """Report what breaks a rule."""
    from danggol.shop.checks import check as check_shop
    from danggol.shop.checks import check_figures

    found = check_shop(Shop.open(path), examples=most)
    figures = check_figures(found)
    looked = f"Looked at {sum(found.rows.values()):,} rows of {len(found.rows)} tables and {found.pictures:,} pictures"
    if found.ok:
        return Outcome(figures, [f"{looked}: every rule holds."])
    examples = [(v.table, v.row, v.column, v.value, v.rule) for v in found.violations]
    counts = [(c.table, c.column, c.rule, figures["rules"][c.rule], c.count) for c in found.counts]
    words: list[str | Table] = [
        f"{looked}: {found.total:,} violations.",
        Table(("table", "row", "column", "value", "rule"), examples, "Examples"),
        Table(("table", "column", "rule", "which means", "count"), counts, "All, counted"),
    ]
    return Outcome(figures, words, code=1)


def doctor(path: Path, *, language: str) -> Outcome:
    """Say which questions the tables can answer."""
    from danggol.shop.doctor import Note, diagnose, doctor_figures, facts, sentence, title, unlocks

    shop = Shop.open(path)
    language = language or ("ko" if shop.config.languages[0] == "ko" else "en")
    found = facts(shop)
    answers = diagnose(found)
    rows = [
        (
            "✓" if answer.ready else "✗",
            title(answer.question, language),
            "\n".join(sentence(note, language) for note in (*answer.missing, *answer.cautions, *answer.better)),
        )
        for answer in answers
    ]
    opened = [
        Note("unlock", {"columns": columns, "questions": " / ".join(title(q, language) for q in questions)})
        for columns, questions in unlocks(answers).items()
    ]
    words: list[str | Table] = [Table(("", "", ""), rows), *(sentence(note, language) for note in opened)]
    return Outcome(doctor_figures(found), words)


def report(path: Path, *, to: Path | None) -> Outcome:
    """Write the report."""
    from danggol.report import build_report

    written = build_report(Shop.open(path), to)
    return Outcome(
        {"report": str(written), "bytes": written.stat().st_size},
        [f"The report is in {written}; open it in a browser."],
    )


def export(table: str, to: Path, path: Path) -> Outcome:
    """Write a table to a file."""
    rows = Shop.open(path).export(table, to)
    return Outcome({"table": table, "rows": rows, "path": str(to)}, [f"Wrote {rows:,} rows of {table} to {to}."])


def forget(customer: str, path: Path) -> Outcome:
    """Remove a person."""
    from dataclasses import asdict

    gone = Shop.open(path).forget(customer)
    counts = [*gone.rows.items(), *((f"{name} (blanked)", count) for name, count in gone.blanked.items())]
    counts += [*gone.files.items(), ("pictures", len(gone.pictures)), ("old versions", gone.old_versions)]
    words: list[str | Table] = [
        f"Customer '{customer}' is forgotten.",
        Table(("table or file", "removed"), [row for row in counts if row[1]]),
    ]
    if "report/index.html" in gone.removed:
        words.append("The report was removed, since it may quote them; danggol report makes it again.")
    if gone.remains:
        reasons = {
            "learned": "learned from the person among others; train again to be rid of that",
            "names": "may still name the person; look at it",
        }
        words.append(Table(("not changed", "why"), [(r.path, reasons.get(r.reason, r.reason)) for r in gone.remains]))
    return Outcome(asdict(gone), words)


def clean(path: Path) -> Outcome:
    """Delete old versions."""
    versions, freed = Shop.open(path).clean()
    return Outcome({"versions": versions, "bytes": freed}, [f"Deleted {versions:,} old versions, {size(freed)}."])
