"""The command line: its verbs, help, exit codes and JSON."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

VERBS = ["demo", "simulate", "import", "check", "doctor", "run", "report", "export", "clean", "forget"]
PURCHASE_VERBS = ["train", "evaluate", "explain", "predict"]


def danggol(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = "from danggol.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "shop"
    done = danggol("simulate", path, "--market", "small", "--seed", 1, "--scale", 0.3, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tables"]["events"] > 1000
    return path


def test_help_lists_every_verb() -> None:
    done = danggol("--help")
    assert done.returncode == 0
    for verb in [*VERBS, "purchase"]:
        assert verb in done.stdout


@pytest.mark.parametrize("words", [*([v] for v in VERBS), *(["purchase", v] for v in PURCHASE_VERBS)], ids=" ".join)
def test_every_verb_has_help_with_an_example_and_the_options_of_all(words: list[str]) -> None:
    done = danggol(*words, "--help")
    assert done.returncode == 0
    assert f"danggol {' '.join(words)}" in " ".join(done.stdout.split())
    for option in ("--json", "--progress", "--debug", "Example:"):
        assert option in done.stdout


def test_help_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from danggol.cli import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): app(['--help'])\n"
        "heavy = ('polars', 'duckdb', 'lightgbm', 'altair', 'pyarrow', 'scipy', 'numpy')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_answers_quickly() -> None:
    times = []
    for _ in range(5):
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        danggol("--help")
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    # Seconds of work, not of waiting: other processes may be busy beside this one.
    assert min(times) < 0.5


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["check", "nowhere"], 2, "there is no shop in nowhere"),
        (["frobnicate"], 2, "frobnicate"),
        (["purchase", "evaluate"], 2, "SHOP"),
        (["import", "online-retial", "x.csv", "shop"], 2, "online-retail"),
        (["import", "online-retail", "x.csv", "shop", "--append", "--replace"], 2, "exclude each other"),
        (["import", "online-retail", "x.csv", "shop"], 2, "x.csv"),
        (["import", "csv", "x.csv", "shop"], 2, "--mapping"),
        (["import", "xmarket", "x.csv", "shop", "--guess"], 2, "csv"),
        (["import", "csv", "x.csv", "shop", "--guess", "--mapping", "m.toml"], 2, "choose one"),
        (["import", "csv", "x.csv", "shop", "--mapping", "m.toml", "--yes"], 2, "add --guess"),
        (["import", "csv", "x.csv"], 2, "Missing argument 'SHOP'; see 'danggol import --help'"),
        (["run", "shop", "--seed", "-1"], 2, "'--seed'"),
        (["check", "shop", "--most", "0"], 2, "see 'danggol check --help'"),
        (["check", "shop", "--progress", "fast", "--json"], 2, "fast"),
        (["check", os.fsdecode(b"\xff")], 2, "not UTF-8 text"),
        (["check", "a\nb\x1b[31m"], 2, "no shop in a b [31m;"),
        (["simulate", "shop", "--market", "nonesuch"], 2, "nonesuch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_call_gets_a_sentence_and_leaves_nothing(
    words: list[str], code: int, says: str, tmp_path: Path
) -> None:
    done = danggol(*words, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in " ".join(done.stderr.split())
    assert done.stderr.startswith("danggol: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoding", ["cp949", "ascii", "cp1252"])
def test_any_terminal_can_show_what_is_found(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "o.csv").write_text("주문번호,주문일시,고객번호\nA1,2024-03-05,김\nA2,2024-03-06,이\n", "utf8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONIOENCODING", f"{encoding}:strict")
        command = "from danggol.cli import main; main()"
        words = [[tmp_path / "shop", "--yes"], [tmp_path / "shop", "--json"]]
        for more in words:
            call = [sys.executable, "-c", command, "import", "csv", tmp_path / "o.csv", *more, "--guess"]
            done = subprocess.run([*map(str, call)], capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
        assert "주문일시" in json.loads(done.stdout.decode(encoding))["mapping"]
        call = [sys.executable, "-c", command, "doctor", tmp_path / "shop"]
        done = subprocess.run([*map(str, call)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b" x " in done.stdout or b" v " in done.stdout


def test_a_reader_that_stops_reading_is_no_failure() -> None:
    for words in ("--help", "import --help"):
        code = f"import time, sys; time.sleep(1); sys.argv[1:] = {words.split()}; from danggol.cli import main; main()"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_a_closed_stdout_is_no_failure(tmp_path: Path) -> None:
    command = f'exec "{sys.executable}" -c "from danggol.cli import main; main()" --help >&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_debug_adds_a_traceback(tmp_path: Path) -> None:
    assert "Traceback" in danggol("check", "nowhere", "--debug", cwd=tmp_path).stderr


def test_check_passes_and_fails_with_the_right_code(shop: Path, tmp_path: Path) -> None:
    done = danggol("check", shop, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is True
    broken = danggol_shop_with_a_bad_country(tmp_path / "broken")
    done = danggol("check", broken)
    assert done.returncode == 1
    assert "customers" in done.stdout
    assert "XX" in done.stdout


def danggol_shop_with_a_bad_country(path: Path) -> Path:
    import polars as pl

    from danggol import Shop

    Shop.create(path).write("customers", pl.DataFrame({"customer_id": ["a"], "country": ["XX"]}))
    return path


def test_progress_json_is_lines_on_stderr(shop: Path) -> None:
    done = danggol("check", shop, "--json", "--progress", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines
    assert all({"stage", "done", "total"} <= set(line) for line in lines)
    assert json.loads(done.stdout)


def test_doctor_report_export_clean_and_forget(shop: Path, tmp_path: Path) -> None:
    assert danggol("doctor", shop, "--language", "ko").returncode == 0
    page = tmp_path / "page.html"
    assert danggol("report", shop, "--to", page).returncode == 0
    assert page.read_text("utf8").startswith("<!doctype html>") or page.read_text("utf8").startswith("<!DOCTYPE html>")
    file = tmp_path / "customers.csv"
    assert danggol("export", "customers", file, shop).returncode == 0
    person = file.read_text("utf-8-sig").splitlines()[1].split(",")[0]
    done = danggol("forget", person, shop, "--json")
    assert done.returncode == 0, done.stderr
    assert danggol("forget", person, shop).returncode == 2
    assert danggol("clean", shop).returncode == 0
    assert danggol("check", shop).returncode == 0
