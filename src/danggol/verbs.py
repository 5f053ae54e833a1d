"""What each verb of the command line does: call a room, and put what came of it into words."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from danggol.console import Outcome, Table
from danggol.errors import UsageError
from danggol.purchase_words import evaluation_words, importance_words, ranged, reason_words
from danggol.shop import Shop

if TYPE_CHECKING:
    from danggol.purchase.settings import PurchaseSettings
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


def run(path: Path, *, seed: int) -> Outcome:
    """Every capability, then the report."""
    from danggol import pipeline

    figures = pipeline.run(Shop.open(path), seed)
    return Outcome(figures, _run_words(figures))


def _run_words(figures: Mapping[str, Mapping[str, Any]]) -> list[str | Table]:
    from danggol import pipeline

    rows = [(name, found.get("skipped", "done")) for name, found in figures.items()]
    said: list[str | Table] = [Table(("step", "outcome"), rows)]
    where = pipeline.report_path(figures)
    if where:
        said.append(f"The report is in {where}; open it in a browser.")
    return said


def demo(path: Path, *, market: str, seed: int, replace: bool) -> Outcome:
    """A simulated market, everything run on it, and the report."""
    from danggol import pipeline
    from danggol.twin import simulate as simulate_market

    began = time.monotonic()
    if not replace and (path / "shop.toml").exists() and Shop.open(path).has("events"):
        raise UsageError(
            f"{path} is there already; go on with it by danggol run {path}, "
            f"or begin anew by danggol demo {path} --replace"
        )
    market_figures = simulate_market(path, market=market, seed=seed, replace=replace)
    simulated = time.monotonic()
    figures = pipeline.run(Shop.open(path), seed, pipeline.QUICK)
    ended = time.monotonic()
    times = {"simulate": round(simulated - began, 1), "run": round(ended - simulated, 1)}
    words = [
        f"Simulated {market_figures['tables']['events']:,} events in {times['simulate']:.0f} s.",
        *evaluation_words(figures.get("purchase evaluate", {})),
        *_run_words(figures),
        f"Trained with quick settings; for the full ones: danggol run {path}",
    ]
    return Outcome({"market": market_figures, **figures, "seconds": times}, words)


def purchase_train(
    path: Path,
    *,
    until: str | None,
    to: Path | None,
    start: Path | None,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Train the purchase model and save it."""
    from danggol.purchase import verbs

    figures = verbs.train(Shop.open(path), until, to, _purchase_settings(settings, pairs), seed, start)
    words = (
        f"Learnt from {figures['customers']:,} customers and {figures['products']:,} products "
        f"at {figures['moments']} past moments in {figures['seconds']:.0f} s."
        if figures["learnt"]
        else "There are too few purchases to learn from: "
        + ("the model counts what was bought." if start is None else "the other shop's model is used as it is.")
    )
    return Outcome(figures, [words, f"The model is in {figures['model']}; its card.md tells what it was trained on."])


def purchase_evaluate(
    path: Path, *, until: str | None, days: float, settings: Path | None, pairs: Sequence[str], seed: int
) -> Outcome:
    """Measure the purchase model beside every baseline."""
    from danggol.purchase import verbs

    figures = verbs.evaluate(Shop.open(path), until, days, _purchase_settings(settings, pairs), seed)
    return Outcome(figures, [*evaluation_words(figures), f"Written to purchase_metrics of {path}."])


def purchase_predict(
    path: Path,
    *,
    at: str | None,
    top: int,
    model: Path | None,
    customers: Sequence[str] | None,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Write purchase probabilities and recommendations."""
    from danggol.purchase import verbs

    chosen = _purchase_settings(settings, pairs)
    figures = verbs.predict(Shop.open(path), at, top, model, customers, chosen, seed)
    words = (
        f"Wrote {figures['recommendations']:,} recommendations and {figures['purchase_scores']:,} probabilities for "
        f"{figures['customers']:,} customers as of {figures['at'][:16].replace('T', ' ')} UTC "
        f"in {figures['seconds']:.0f} s."
    )
    return Outcome(figures, [words, f"They are in recommendations and purchase_scores of {path}."])


def purchase_explain(
    path: Path,
    *,
    until: str | None,
    model: Path | None,
    customers: Sequence[str] | None,
    top: int,
    settings: Path | None,
    pairs: Sequence[str],
    seed: int,
) -> Outcome:
    """Say what the purchase model goes by, or what some customers' lists go by."""
    from danggol.purchase import verbs

    chosen = _purchase_settings(settings, pairs)
    figures = verbs.explain(Shop.open(path), until, model, customers, top, chosen, seed)
    if customers:
        return Outcome(figures, [*reason_words(figures["reasons"]), f"Written to purchase_reasons of {path}."])
    said = importance_words(figures)
    return Outcome(figures, [*said, f"Written to purchase_importance and purchase_dependence of {path}."])


def purchase_modalities(path: Path, *, until: str | None, seed: int) -> Outcome:
    """Measure what each modality is worth, alone and beside the others."""
    from danggol.purchase.multimodal import verbs

    figures = verbs.modalities(Shop.open(path), until, seed)
    told = figures["figures"]
    names = [name.partition("/")[2] for name in told if name.startswith("share/")]
    heading = (
        f"AUC of {figures['showings']:,} showings from {figures['until'][:10]} on ({figures['bought']:,} bought): "
        f"{told['auc/joined'][0]:.3f} joined"
    )
    rows = [[name, *(ranged(told[f"{figure}/{name}"]) for figure in ("auc", "share", "without"))] for name in names]
    table = Table(["modality", "alone", "Shapley share", "lost without"], rows, heading)
    return Outcome(figures, [table, f"Written to modality_worth of {path}; danggol report shows it."])


def _purchase_settings(settings: Path | None, pairs: Sequence[str]) -> PurchaseSettings:
    from danggol.purchase.settings import PurchaseSettings

    return PurchaseSettings.load(settings, pairs)
