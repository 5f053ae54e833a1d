"""How right a sentiment model is on reviews that it has not learnt from, how fast it reads, and its card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from danggol.metrics import wilson
from danggol.reviews.figures import interval, shown
from danggol.reviews.language import UNKNOWN
from danggol.reviews.sentiment.model import SentimentModel
from danggol.reviews.sentiment.settings import SentimentSettings
from danggol.version import __version__

_FEWEST = 50
"""Reviews of a language or source that are told apart."""


def measure(model: SentimentModel, rows: pl.DataFrame) -> dict[str, Any]:
    """How right the model is on reviews that it has not learnt from: in all, by language and by source of 50 or more.

    ``rows``: text, label as the target says, source. Stars count as right where the star that is told is the true one;
    scores where their sign is, those of 0 left out. ``answered`` is the share that the model is sure of, and
    ``accuracy_answered`` how many of those are right; a text that says nothing is read wrongly. ``commonest`` is the
    accuracy of saying the commonest label always.
    """
    if model.settings.target == "score":
        rows = rows.filter(pl.col("label") != 0)
    said = model.predict(rows["text"].to_list())
    labels = rows["label"].to_numpy()
    if model.settings.target == "stars":
        right = (np.rint(said["stars"].to_numpy()) == labels).astype(np.float64)
    else:
        middle = 0.5 if model.settings.target == "two" else 0.0
        score = said["score"].to_numpy()
        right = (((score > 0) == (labels > middle)) & (score != 0)).astype(np.float64)
        labels = labels > middle
    right *= (said["label"] != "unreadable").to_numpy()
    sure = ~said["label"].is_in(["unsure", "unreadable"]).to_numpy()
    return {
        **_figures(right, labels),
        "answered": round(float(sure.mean()), 4),
        "accuracy_answered": round(float(right[sure].mean()), 4) if sure.any() else None,
        "by_language": _parts(right, labels, said["language"].to_list()),
        "by_source": _parts(right, labels, rows["source"].to_list()),
    }


def read_alone(model: SentimentModel, texts: Sequence[str]) -> dict[str, Any]:
    """Size of a model as it is saved, and how fast and in how much memory a process of its own reads texts on one core.

    The process starts in safe mode: a file of the working folder that bears a library's name is not run. Speed and
    memory are None where it fails.
    """
    one = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    code = "from danggol.reviews.sentiment.measuring import timed; timed()"
    with tempfile.TemporaryDirectory() as held:
        folder = model.save(Path(held) / "model")
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            input=json.dumps({"folder": str(folder), "texts": list(texts)}),
            env=os.environ | one | {"CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            encoding="utf8",
            check=False,
        )
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    told = json.loads(done.stdout) if done.returncode == 0 else {"per_second": None, "peak_mb": None}
    return {"size_mb": round(size / 1e6, 1), **told}


def timed() -> None:
    """The process of :func:`read_alone`: reads what stands on its input, and prints the figures."""
    given = json.loads(sys.stdin.read())
    model = SentimentModel.load(given["folder"])
    texts = given["texts"]
    model.predict(texts[:10])
    began = time.perf_counter()
    model.predict(texts)
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"per_second": round(len(texts) / max(seconds, 1e-9)), "peak_mb": _peak()}))


def _peak() -> int | None:
    """The most memory of this process so far, in MB, without what its parent held when it began; None if not told."""
    status = Path("/proc/self/status")
    told = status.read_text("ascii").partition("VmHWM:")[2].split() if status.exists() else []
    return round(int(told[0]) / 1024) if told else None


def card(settings: SentimentSettings, told: dict[str, Any]) -> str:
    """The model's card in Markdown, from what was measured."""
    parts = [("all", told), *told["by_language"].items(), *told["by_source"].items()]
    sure = f", of these right: {told['accuracy_answered']:.1%}" if told["accuracy_answered"] is not None else ""
    lines = [
        "# Sentiment model",
        "",
        f"Tells how pleased a review is. Kind `{settings.kind}`, target `{settings.target}`. "
        f"Written by danggol {__version__}.",
        "",
        "## Data",
        "",
        f"- {told['learnt_from']:,} reviews to learn from, {told['reviews']:,} kept apart (a tenth of all texts).",
        *_teaching(told.get("taught_by")),
        *(f"- {one}" for one in told["notes"]),
        "",
        "## Figures",
        "",
        "On the reviews kept apart; the 95% interval in brackets.",
        "",
        "| language or source | reviews | accuracy | the commonest label always |",
        "|---|---|---|---|",
        *(
            f"| {name} | {one['reviews']:,} | {shown(one['accuracy'])} | {one['commonest']:.3f} |"
            for name, one in parts
        ),
        "",
        f"- Answered (confidence of {settings.sure:g} or more): {told['answered']:.1%}{sure}.",
        f"- {told['size_mb']:.1f} MB{_speed(told)}.",
        "",
        "## Limits",
        "",
        "- It has learnt what goes with stars, which are given for seller and delivery as well as for the goods.",
        "- Irony, and praise of one thing beside blame of another, are often read wrongly.",
        "- It knows the goods that it has learnt from; of other goods it is right less often.",
        _reach(told["languages"]),
    ]
    return "\n".join(lines) + "\n"


def _speed(told: Mapping[str, Any]) -> str:
    """How fast and in how much memory it reads, where that was measured."""
    if told["per_second"] is None:
        return ""
    memory = "" if told["peak_mb"] is None else f", with {told['peak_mb']:,} MB of memory for the whole process"
    return f"; reads {told['per_second']:,} reviews a second on one core of the machine that trained it{memory}"


def _reach(languages: Sequence[str] | None) -> str:
    """The line on languages."""
    if languages is None:
        return "- In a language that is not in the table it guesses."
    return f"- It has learnt {', '.join(languages)}. Texts in other languages are labelled unsure, with confidence 0."


def _teaching(taught: Mapping[str, Any] | None) -> list[str]:
    """The line on the teachers, where there are any."""
    if taught is None:
        return []
    members = ", ".join(taught["members"])
    return [f"- Taught by ensembles of {members} (distillation), by {taught['unrated']:,} reviews without stars too."]


def _figures(right: NDArray[np.float64], labels: NDArray[Any]) -> dict[str, Any]:
    """Reviews, accuracy, and that of the commonest label."""
    commonest = np.unique(labels, return_counts=True)[1].max(initial=0) / max(len(labels), 1)
    accuracy = interval(wilson(int(right.sum()), len(right)))
    return {"reviews": len(right), "accuracy": accuracy, "commonest": round(float(commonest), 4)}


def _parts(right: NDArray[np.float64], labels: NDArray[Any], names: Sequence[str | None]) -> dict[str, Any]:
    """Reviews and accuracy of each part that is large enough."""
    column = np.array([name or "" for name in names], dtype=np.str_)
    found = {}
    for name in sorted(set(column.tolist()) - {"", UNKNOWN}):
        here = column == name
        if here.sum() >= _FEWEST:
            found[name] = _figures(right[here], labels[here])
    return found
