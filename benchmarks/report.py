"""Runs every benchmark and writes what they print to docs/benchmarks.md: the page is made, not typed.

python benchmarks/report.py [--only online_retail] [--data DIR] [--printed DIR]

``--printed`` takes what a script printed before from DIR/NAME.log, where it is there, instead of running it again; the
commit that it was printed at is read from DIR/NAME.commit.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import danggol

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
NOT_BENCHMARKS = {"peers.py", "report.py", "splink_pairs.py", "ten_copies.py"}

INTRODUCTION = """# Benchmarks

Written by `make bench` (`benchmarks/report.py`) from what the scripts printed; nothing here is typed by hand. Each
script runs the peers on the same rows. "Ahead" means that the paired 95% interval of the difference lies above zero.
Choices were made on training or validation rows, except `windows` in online_retail: 20 was chosen on the two earlier
cuts, but knowing from an earlier session that more windows had also been better on the test cut. Each part names the
commit that it was printed at; a later commit may give other digits.
"""


def run(script: Path, data: Path | None, printed: Path | None) -> tuple[str, dict[str, object], str]:
    """Run one script, or take what it printed; all before its last line, the JSON of that line, and the commit."""
    log = None if printed is None else printed / f"{script.stem}.log"
    if log is not None and log.exists():
        *table, last = log.read_text("utf8").rstrip().splitlines()
        return "\n".join(table), json.loads(last), log.with_suffix(".commit").read_text("utf8").strip()
    if data is not None and not (data / script.stem).exists():
        data = None
    command = [sys.executable, str(script), *(["--data", str(data / script.stem)] if data else [])]
    print(f"running {script.name} ...", flush=True)
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)
    if done.returncode:
        sys.exit(f"{script.name} failed:\n{done.stderr}")
    *table, last = done.stdout.rstrip().splitlines()
    return "\n".join(table), json.loads(last), commit()


def commit() -> str:
    """The commit that is checked out, with a plus where files differ from it; empty outside of git."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, cwd=HERE, check=False
    )
    return done.stdout.strip()


def main() -> None:
    """Run the benchmarks asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one benchmark, by name; the others' parts of the page stay as they are")
    parser.add_argument("--data", type=Path, help="the folder that holds the data sets' folders")
    parser.add_argument("--printed", type=Path, help="a folder of logs that earlier runs printed")
    given = parser.parse_args()
    scripts = [p for p in sorted(HERE.glob("*.py")) if p.name not in NOT_BENCHMARKS and given.only in (None, p.stem)]
    if not scripts:
        sys.exit(f"there is no benchmark {given.only!r}")
    parts = written() if given.only else {}
    for script in scripts:
        table, figures, at = run(script, given.data, given.printed)
        parts[script.stem] = (
            f"## {script.stem}\n\n`python benchmarks/{script.name}`\n\n"
            f"danggol {danggol.__version__}, commit {at}, Python {platform.python_version()}, {platform.machine()}.\n\n"
            f"```text\n{table}\n```\n\n```json\n{json.dumps(figures)}\n```\n"
        )
    PAGE.write_text("\n".join([INTRODUCTION, *(parts[name] for name in sorted(parts))]), "utf8")
    print(f"wrote {PAGE.relative_to(HERE.parent)}")


def written() -> dict[str, str]:
    """The parts of the page as it is, by benchmark."""
    text = PAGE.read_text("utf8") if PAGE.exists() else ""
    found = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {name: f"## {name}\n{part.rstrip()}\n" for name, part in zip(found[::2], found[1::2], strict=True)}


if __name__ == "__main__":
    main()
