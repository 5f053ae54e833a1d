"""Every SQL file runs on Spark too: it transpiles, and uses nothing that changes its meaning unseen."""

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

import danggol

FILES = sorted(Path(danggol.__file__).parent.rglob("*.sql"))
NAMES = [path.relative_to(Path(danggol.__file__).parent).as_posix() for path in FILES]


def parsed(text: str) -> list[exp.Expression]:
    return [statement for statement in sqlglot.parse(text, read="duckdb") if statement is not None]


def faults(text: str) -> list[str]:
    """What in a text of DuckDB's SQL would not do the same on Spark."""
    found = []
    for statement in parsed(text):
        found += [f"ASOF JOIN {join}" for join in statement.find_all(exp.Join) if join.args.get("method") == "ASOF"]
        for call in statement.find_all(exp.Func):
            name = (call.name if isinstance(call, exp.Anonymous) else call.sql_name()).lower()
            ordered = call.find(exp.Order) is not None and not call.find(exp.Window)
            if name in {"hash", "random", "rand", "uuid", "gen_random_uuid"}:
                found.append(f"{name}() differs between engines")
            if name in {"list", "array_agg", "group_concat", "string_agg"} and ordered:
                found.append(f"ordered {name}()")
        for window in statement.find_all(exp.Window):
            found += _window_faults(window)
        statement.sql(dialect="spark")
    return found


def _window_faults(window: exp.Window) -> list[str]:
    """RANGE frames with a distance must order by integers: epoch microseconds, not times with intervals."""
    frame = window.args.get("spec")
    if frame is None or frame.args.get("kind") != "RANGE":
        return []
    bounds = [frame.args.get("start"), frame.args.get("end")]
    distances = [bound for bound in bounds if isinstance(bound, exp.Expression)]
    if any(bound.find(exp.Interval) for bound in distances):
        return ["a RANGE frame with an interval; order by epoch microseconds"]
    order = window.args.get("order")
    if distances and order is not None:
        keys = [key.this for key in order.expressions]
        odd = [
            key.sql()
            for key in keys
            if re.fullmatch(r"(?i)(\w+\.)?(ts|at|date|week|valid_from|known_at|as_of)", key.sql())
        ]
        return [f"a RANGE frame over the time {name}; order by epoch microseconds" for name in odd]
    return []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_transpiles_and_keeps_its_meaning(path: Path) -> None:
    text = path.read_text("utf8")
    assert parsed(text), "a statement"
    assert faults(text) == []
    for statement in sqlglot.transpile(text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE):
        assert sqlglot.parse_one(statement, read="spark")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM a ASOF JOIN b ON a.k = b.k AND a.ts >= b.ts",
        "SELECT list(x ORDER BY y) FROM a",
        "SELECT array_agg(x ORDER BY y) FROM a GROUP BY k",
        "SELECT hash(x) FROM a",
        "SELECT random() FROM a",
        "SELECT sum(x) OVER (ORDER BY ts RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) FROM a",
        "SELECT sum(x) OVER (ORDER BY ts RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) FROM a",
    ],
)
def test_what_would_change_its_meaning_is_found(sql: str) -> None:
    assert faults(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(x) FROM a",
        "FROM a SELECT sum(x) OVER (PARTITION BY k ORDER BY us RANGE BETWEEN 604800000000 PRECEDING AND 1 PRECEDING)",
        "SELECT row_number() OVER (PARTITION BY k ORDER BY ts) FROM a",
        "SELECT sum(x) OVER (ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) FROM a",
    ],
)
def test_what_keeps_its_meaning_is_let_through(sql: str) -> None:
    assert faults(sql) == []
