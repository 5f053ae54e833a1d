"""Files of every format that real life hands over, and what an import must make of each.

A text is what the one clear sentence must say; a pair is how many rows must be kept and rejected.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
from workbooks import write_workbook

EVENTS = '[events]\nts = "ts"\nkind = { value = "purchase" }\ncustomer_id = "c"\nprice = "price"\n'
PLAIN = ["ts,c,price", "2024-03-05 10:00,a,1", "2024-03-06 10:00,b,2"]


def broken(text: str | bytes, name: str = "a.csv") -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder / name

    return build


def _plain(*more: str, head: str = PLAIN[0]) -> str:
    return "\n".join([head, *PLAIN[1:], *more]) + "\n"


def _book(rows: list[list[object]], **more: int) -> Callable[[Path], Path]:
    return lambda folder: write_workbook(folder / "a.xlsx", {"s": rows}, **more)  # type: ignore[dict-item]


def _cut(build: Callable[[Path], Path], share: float) -> Callable[[Path], Path]:
    def cut(folder: Path) -> Path:
        path = build(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return cut


def _parquet(folder: Path) -> Path:
    frame = pl.DataFrame({"ts": ["2024-03-05"] * 5000, "c": [str(i) for i in range(5000)], "price": [1.0] * 5000})
    frame.write_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def _folder(folder: Path) -> Path:
    (folder / "sub").mkdir()
    return folder / "sub"


HEAD: list[object] = ["ts", "c", "price"]
ROW: list[object] = ["2024-03-05", "a", 1]
KOREAN = "2024-03-07 10:00,홍길동,3"
BROKEN: dict[str, tuple[Callable[[Path], Path], str | tuple[int, int]]] = {
    "no file": (lambda folder: folder / "none.csv", "nothing at"),
    "a folder without data": (_folder, "holds no"),
    "empty": (broken(""), "is empty"),
    "blank lines only": (broken("\n\n \n"), "blank lines only"),
    "headings only": (broken("ts,c,price\n"), "no rows"),
    "a missing column": (broken(_plain(head="ts,c,prise")), "no column 'price'.*'prise'"),
    "two columns of one name": (broken(_plain(head="ts,c,price,c").replace(",1\n", ",1,x\n")), "two columns named 'c'"),
    "an empty heading": (broken("ts,c,,price\n2024-03-05,a,,1\n"), (1, 0)),
    "too few and too many fields": (broken(_plain("2024-03-05,a", "2024-03-05,a,1,9")), (2, 2)),
    "mixed delimiters": (broken(_plain("2024-03-05;a;1")), (2, 1)),
    "an unclosed quote": (broken(_plain('2024-03-05,"a,1', "2024-03-05,b,1")), "quote in row 3"),
    "a field of 10 MB": (broken(_plain("2024-03-05," + "x" * 10_000_000 + ",1", "2024-03-08,z,1")), (3, 1)),
    "NUL": (broken(_plain("2024-03-05,a\x00b,1")), (2, 1)),
    "CP949 within UTF-8": (
        broken((_plain(*[KOREAN] * 20)).encode() + "2024-03-07,김철수,3\n".encode("cp949")), (22, 1)
    ),
    "Korean after 64 KB of ASCII": (broken(_plain(*PLAIN[1:] * 2500, KOREAN).encode("cp949")), (5003, 0)),
    "a lone surrogate": (broken(_plain(KOREAN, KOREAN).encode() + b"2024-03-07,\xed\xa0\x80,3\n"), (4, 1)),
    "a wrong time format": (broken(_plain("yesterday,a,1")), (2, 1)),
    "an impossible date": (broken(_plain("2024-02-30,a,1")), (2, 1)),
    "a time to come": (broken(_plain("2150-01-01,a,1")), (2, 1)),
    "a negative price": (broken(_plain("2024-03-05,a,-1")), (2, 1)),
    "text for a price": (broken(_plain("2024-03-05,a,cheap")), (2, 1)),
    "every row wrong": (broken("ts,c,price\nx,a,1\ny,b,2\n"), "none of the 2 rows"),
    "a truncated gzip": (_cut(broken(gzip.compress(_plain(*PLAIN[1:] * 500).encode()), "a.csv.gz"), 0.6), "too early"),
    "text named gzip": (broken(_plain(), "a.csv.gz"), "no gzip data"),
    "a decompression bomb": (broken(gzip.compress(PLAIN[0].encode() + b"0" * 80_000_000), "a.csv.gz"), "bomb"),
    "a picture": (broken(b"\x89PNG\r\n\x1a\n" + bytes(100)), "a picture"),
    "binary": (broken(bytes(range(256)) * 40), "no text"),
    "a truncated workbook": (_cut(_book([HEAD, ROW]), 0.7), "readable Excel"),
    "a workbook without sheets": (lambda folder: write_workbook(folder / "a.xlsx", {}), "no sheets"),
    "a workbook without rows": (_book([]), "no rows"),
    "a workbook of headings only": (_book([HEAD]), "no rows"),
    "a workbook with merged headings": (_book([["주문"], ["ts", None, "price"], ROW]), "no column 'c'"),
    "a workbook that is a zip bomb": (_book([HEAD, ROW], padding=400 << 20), "decompression bomb"),
    "a workbook with a blank row and an error": (_book([HEAD, ROW, [None], ["#N/A", "a", 2]]), (1, 1)),
    "two filled sheets": (
        lambda folder: write_workbook(folder / "a.xlsx", {"s": [HEAD, ROW], "t": [HEAD, ROW]}), "several sheets"
    ),
    "text named xlsx, as back offices do": (broken(_plain(), "a.xlsx"), (2, 0)),
    "a web page named xls": (broken("<html><table><tr><td>ts</td></tr></table></html>", "a.xls"), "web page"),
    "a title above the headings": (broken("주문 내역 (2024년 3월)\n\n" + _plain()), (2, 0)),
    "a title as wide as the headings": (broken("주문 내역,,\n기간: 2024,,\n,,\n" + _plain()), (2, 0)),
    "a title above the headings of a workbook": (_book([["주문 내역"], [], HEAD, ROW]), (1, 0)),
    "a title above rows parted by semicolons": (broken("주문 내역\n" + _plain().replace(",", ";")), (2, 0)),
    "Excel's own line of the separator": (broken("sep=;\n" + _plain().replace(",", ";")), (2, 0)),
    "a separator behind the rows only": (broken(_plain(head="ts,c,price").replace(",1\n", ",1,\n")), (2, 0)),
    "separators behind the headings only": (broken(_plain(head="ts,c,price,,")), (2, 0)),
    "more fields than headings": (broken("ts,c,price\n2024-03-05,a,1,x\n2024-03-06,b,2,y\n2024-03-07,b,2\n"), (1, 2)),
    "a JSON line that breaks off": (broken('{"ts":"2024-03-05","c":"a","price":1}\n{"ts":"2024-\n', "a.jsonl"), (1, 1)),
    "JSON lines that are no objects": (broken('{"ts":"2024-03-05","c":"a","price":1}\n[1]\n5\n', "a.jsonl"), (1, 2)),
    "one JSON document": (broken('[{"ts":1},{"ts":2}]', "a.json"), "one JSON document"),
    "JSON nested beyond reason": (
        broken('{"ts":"2024-03-05","c":"a","price":1}\n{"c":' + "[" * 100_000 + "\n", "a.jsonl"), (1, 1)
    ),
    "JSON lacking a column": (broken('{"ts":"2024-03-05","c":"a"}\n', "a.jsonl"), "no column 'price'"),
    "text named parquet": (broken(_plain(), "a.parquet"), "not a readable Parquet"),
    "a truncated parquet": (_cut(_parquet, 0.8), "not a readable Parquet"),
    "bytes within a parquet destroyed": (
        lambda folder: broken(_parquet(folder).read_bytes()[:4] + b"\xff" * 3000 + _parquet(folder).read_bytes()[3004:],
                              "a.parquet")(folder), "Parquet|cannot be read"
    ),
}  # fmt: skip
