"""A forgotten person is in no table, old version, picture or file of the shop; everybody else stays."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.reading import one_at_a_time
from danggol.shop import RESULT_TABLES, SCHEMAS, SOURCE_TABLES, Shop
from danggol.shop.forget import ForgetReport, Remainder, forget

AT = datetime(2024, 1, 1, tzinfo=UTC)
GONE, KEPT = "cust-17850", "cust-178501"


def frame(table: str, *rows: dict[str, Any]) -> pa.Table:
    filled = [{**dict.fromkeys(SCHEMAS[table].arrow.names), **row} for row in rows]
    return pa.Table.from_pylist(filled, schema=SCHEMAS[table].arrow)


def event(number: int, customer: str | None, **more: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "ts": AT, "kind": "view", "customer_id": customer, **more}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = Shop.create(tmp_path_factory.mktemp("forget") / "shop")
    result = {"as_of": AT, "run_id": "r"}
    shop.write("customers", frame("customers", {"customer_id": GONE}, {"customer_id": "an-older-row"}))
    with shop.run("predict", settings={"customer": GONE}) as run:
        run.write("customers", frame("customers", {"customer_id": GONE}, {"customer_id": KEPT}))
        run.write("products", frame("products", {"product_id": "p1", "title": f"mug of {GONE}"}))
        run.write(
            "events",
            frame(
                "events",
                event(1, GONE, session_id="s1", order_id="o1"),
                event(2, None, session_id="s1"),
                event(3, None, order_id="o1"),
                event(4, None, session_id="s2"),
                event(5, KEPT, session_id="s2"),
                event(6, None),
            ),
        )
        run.write(
            "orders",
            frame("orders", *({"order_id": o, "customer_id": c, "ts": AT} for o, c in (("o1", GONE), ("o2", KEPT)))),
        )
        run.write(
            "reviews",
            frame(
                "reviews",
                {"review_id": "r1", "text": "mine", "customer_id": GONE, "image": "images/mine.jpg"},
                {"review_id": "r2", "text": "of my order", "order_id": "o1", "image": "images/shared.jpg"},
                {"review_id": "r3", "text": "yours", "customer_id": KEPT, "image": "images/yours.jpg"},
            ),
        )
        run.write("product_images", frame("product_images", {"product_id": "p1", "image": "images/shared.jpg"}))
        run.write("review_sentiment", frame("review_sentiment", *({"review_id": f"r{n}", **result} for n in (1, 2, 3))))
        run.write(
            "review_aspects",
            frame("review_aspects", *({"review_id": f"r{n}", "aspect": "size", "span": "s", **result} for n in (1, 3))),
        )
        run.write(
            "review_causes", frame("review_causes", *({"review_id": f"r{n}", "cause": "c", **result} for n in (2, 3)))
        )
        run.write(
            "customer_causes",
            frame("customer_causes", {"segment": "all", "cause": "late", "example_reviews": ["r1", "r3"], **result}),
        )
        run.write(
            "recommendations",
            frame(
                "recommendations",
                *({"customer_id": c, "at": AT, "rank": 1, "product_id": "p1", **result} for c in (GONE, KEPT)),
            ),
        )
        reject = {"source": "csv", "file": "f.csv", "reason_code": "bad_time"}
        run.record(
            "rejects",
            frame(
                "rejects",
                {**reject, "run_id": "i", "row": 1, "record": json.dumps({"id": GONE, "name": "Kim"}), "reason": "bad"},
                {**reject, "run_id": "i", "row": 2, "record": json.dumps({"id": KEPT}), "reason": f"unknown '{GONE}'"},
                {**reject, "run_id": "i", "row": 3, "record": json.dumps({"id": KEPT}), "reason": "bad"},
            ),
        )
        for name in ("mine", "shared", "yours"):
            run.add_file(f"images/{name}.jpg", name.encode())
    (shop.path / "truth").mkdir()
    pl.DataFrame({"customer_id": [GONE, KEPT, GONE], "taste": [1.0, 2.0, 3.0]}).write_parquet(
        shop.path / "truth/people.parquet"
    )
    (shop.path / "models/purchase").mkdir(parents=True)
    pl.DataFrame({"customer_id": [KEPT, GONE]}).write_parquet(shop.path / "models/purchase/customers.parquet")
    (shop.path / "report.html").write_text(f"<td>{GONE}</td>")
    (shop.path / "other.html").write_text(f"<td>{KEPT}</td>")
    (shop.path / ".staged/spill").mkdir(parents=True)
    (shop.path / ".staged/spill/x.tmp").write_text(f">{GONE}<")
    (shop.path / ".staged/killed").mkdir(parents=True)
    (shop.path / ".staged/killed/x.tmp").write_text(f">{GONE}<")
    return shop.path


@pytest.fixture
def shop(full: Path, tmp_path: Path) -> Shop:
    shutil.copytree(full, tmp_path / "shop")
    return Shop.open(tmp_path / "shop")


def holding(shop: Shop, text: str) -> set[str]:
    """Every file of the shop that holds a text: Parquet files are read, the others searched as they are."""
    found = set()
    for path in shop.path.rglob("*"):
        if path.suffix == ".parquet" and path.is_file():
            cells = json.dumps(pq.read_table(path).to_pylist(), default=str)
        elif path.is_file():
            cells = path.read_bytes().decode("latin1")
        else:
            continue
        if (
            f'"{text}"' in cells
            or f"'{text}'" in cells
            or f"\\{text}" in cells
            or f'\\"{text}\\"' in cells
            or f">{text}<" in cells
        ):
            found.add(path.relative_to(shop.path).as_posix())
    return found


def test_nothing_of_the_person_is_left_and_everybody_else_stays(shop: Shop) -> None:
    assert len(holding(shop, GONE)) >= 10, "the test would notice"
    others = holding(shop, KEPT)
    report = shop.forget(GONE)
    assert holding(shop, GONE) == {"report.html"}
    assert {path.split("/")[1] for path in holding(shop, KEPT) if path.startswith("tables")} == {
        path.split("/")[1] for path in others if path.startswith("tables")
    }
    assert report == ForgetReport(
        rows={
            "customers": 1,
            "events": 3,
            "orders": 1,
            "reviews": 2,
            "recommendations": 1,
            "review_sentiment": 2,
            "review_aspects": 1,
            "review_causes": 1,
        },
        blanked={"rejects": 2, "customer_causes": 1, "runs": 1},
        files={"models/purchase/customers.parquet": 1, "truth/people.parquet": 2},
        pictures=("images/mine.jpg",),
        old_versions=1,
        remains=(Remainder("models/purchase", "learned"), Remainder("report.html", "names")),
    )
    assert shop.read("events")["event_id"].to_list() == ["e4", "e5", "e6"]
    assert shop.read("reviews")["review_id"].to_list() == ["r3"]
    assert shop.read("customer_causes")["example_reviews"].to_list() == [["r3"]]
    assert shop.read("rejects")["row"].to_list() == [1, 2, 3], "the counts of rejected rows stay right"
    assert [record is None for record in shop.read("rejects")["record"]] == [True, True, False]
    assert shop.read("products").height == 1
    assert sorted(path.name for path in (shop.path / "images").iterdir()) == ["shared.jpg", "yours.jpg"]
    truth = pl.read_parquet(shop.path / "truth/people.parquet")
    assert truth.rows() == [(KEPT, 2.0)]
    model = pl.read_parquet(shop.path / "models/purchase/customers.parquet")["customer_id"].to_list()
    assert model[0] == KEPT and model[1].startswith("forgotten-"), "the places of the others stay"


def test_afterwards_the_person_is_unknown_and_the_shop_sound(shop: Shop) -> None:
    shop.forget(GONE)
    with pytest.raises(UsageError, match=f"knows the customer '{GONE}'"):
        shop.forget(GONE)
    assert {violation.rule for violation in shop.check()} <= {"unknown_id", "not_a_picture"}
    assert GONE not in shop.runs().write_json()


@pytest.mark.parametrize("customer", ["", "p1", "cust-1785", "' OR 1=1 --"])
def test_an_unknown_customer_is_a_clear_sentence_and_changes_nothing(shop: Shop, customer: str) -> None:
    before = holding(shop, GONE) - {".staged/spill/x.tmp", ".staged/killed/x.tmp"}
    versions = shop.versions.current()
    with pytest.raises(UsageError, match="check the id"):
        shop.forget(customer)
    assert holding(shop, GONE) >= before and shop.versions.current() == versions


def test_a_person_of_an_old_version_only_is_forgotten_too(shop: Shop) -> None:
    report = shop.forget("an-older-row")
    assert report.rows == {} and report.old_versions == 1
    assert not holding(shop, "an-older-row")


@pytest.mark.parametrize("stage", ["versions moved", "journal written", "current written"])
def test_killed_half_way_it_is_as_before_or_finished_by_the_next_writer(shop: Shop, stage: str) -> None:
    body = (
        "import os, sys\nfrom danggol.shop import Shop, versions\n"
        f"versions._on_stage = lambda stage: os._exit(9) if stage == {stage!r} else None\n"
        f"Shop.open(sys.argv[1]).forget({GONE!r})"
    )
    assert subprocess.run([sys.executable, "-c", body, str(shop.path)], check=False).returncode == 9
    decided = stage not in {"staged", "versions moved"}
    assert (GONE in shop.read("customers")["customer_id"].to_list()) != decided
    if decided:
        shop.clean()
    else:
        shop.forget(GONE)
    assert holding(shop, GONE) == {"report.html"}


def test_every_table_that_names_customers_or_their_reviews_is_covered() -> None:
    from danggol.shop.forget import _HOLDING

    naming = {"customer_id", "review_id", "example_reviews"}
    named = {name for name, s in (SOURCE_TABLES | RESULT_TABLES).items() if naming & {c.name for c in s.columns}}
    assert named <= set(_HOLDING)


def test_weights_of_a_killed_fine_tuning_go_and_other_caches_stay(shop: Shop) -> None:
    """A forgotten person's reviews were learnt from; the next training begins anew."""
    names = ["sentiment-training", "sentiment-training-1", ".sentiment-training-0.old", ".sentiment-training.4711"]
    files = [shop.path / "cache" / name / "tensors.safetensors" for name in (*names, "text-rows")]
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"weights")
    report = shop.forget(GONE)
    assert [path.exists() for path in files] == [False] * len(names) + [True]
    assert set(report.removed) == {f"cache/{name}/tensors.safetensors" for name in names}


@pytest.mark.parametrize("name", ["reviews", "causes"])
def test_beside_a_run_that_reads_reviews_it_waits_to_be_asked_again(shop: Shop, name: str) -> None:
    versions = shop.versions.current()
    with one_at_a_time(shop, name, "reading"), pytest.raises(UsageError, match="a run is reading the reviews"):
        shop.forget(GONE)
    assert shop.versions.current() == versions
    assert GONE in shop.read("customers")["customer_id"].to_list()
    shop.forget(GONE)
    with one_at_a_time(shop, name, "reading"):
        assert holding(shop, GONE) == {"report.html"}


def test_no_run_begins_to_read_reviews_meanwhile(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def rewrite_files(_person: object, _run: object) -> dict[str, int]:
        with pytest.raises(UsageError, match="another run"), one_at_a_time(shop, "reviews", "labelling the reviews"):
            pass
        tried.append(True)
        return {}

    monkeypatch.setattr("danggol.shop.forget._Person.rewrite_files", rewrite_files)
    shop.forget(GONE)
    assert tried


def test_a_damaged_file_stops_it_before_anything_changes(shop: Shop) -> None:
    (shop.path / "truth/people.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"people\.parquet cannot be read, so a person in it could stay"):
        forget(shop, GONE)
    assert GONE in shop.read("customers")["customer_id"].to_list()


@pytest.mark.parametrize("odd", ["a'b", 'a"b\\c', "고객 1", "17850"])
def test_ids_of_every_kind(tmp_path: Path, odd: str) -> None:
    shop = Shop.create(tmp_path / "odd")
    shop.write("customers", frame("customers", {"customer_id": odd}, {"customer_id": "x"}))
    cells = [{"id": odd}, {"id": odd + "0"}, {"id": "a-b"}]
    rows = [
        {"run_id": "i", "source": "csv", "file": "f", "row": n, "reason_code": "x", "record": json.dumps(cell)}
        for n, cell in enumerate(cells)
    ]
    shop.write("rejects", frame("rejects", *rows))
    report = shop.forget(odd)
    assert report.rows == {"customers": 1} and report.blanked == {"rejects": 1}
    assert shop.read("customers")["customer_id"].to_list() == ["x"]
    assert os.listdir(shop.path / "tables") and len(shop.check()) == 0  # noqa: PTH208
