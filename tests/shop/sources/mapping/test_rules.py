"""A mapping is read strictly, says where it is wrong, and is written as it was."""

import json
from pathlib import Path

import pytest
from own_files import ORDERS, run, write

from danggol.errors import UsageError
from danggol.shop import Shop
from danggol.shop.sources.mapping.rules import Mapping

MAPPINGS = {
    "": "fills no table",
    "[eventz]\n": "line 1: there is no table 'eventz'; did you mean 'events'",
    '[events]\nts = "t"\nkind = "k"\nprise = "p"\n': "line 4: table 'events' has no column 'prise'; .* 'price'",
    '[events]\nkind = "k"\n': "line 1: table 'events' needs the column 'ts'",
    '[events]\nts = { colimn = "t" }\n': "line 2: 'ts' of table 'events' has no setting 'colimn'; .* 'column'",
    '[events]\nts = { column = "t", value = "2024" }\n': "line 2: 'ts' takes exactly one of column, columns and value",
    "[events]\nts = 5\n": "line 2: 'ts' is a column's heading",
    '[events]\nts = "t\n': "not valid TOML.*line 2",
    '[file]\ntimezone = "Korea/Seoul"\n': "line 2: 'Korea/Seoul' is not a time zone",
    '[file]\nsheat = "a"\n': "line 2: \\[file\\] has no setting 'sheat'; did you mean 'sheet'",
    '[file]\nformat = "xls"\n': "format is one of csv, xlsx, jsonl, parquet",
    '[file]\ncurrency = "WON"\n': "not an ISO 4217",
    '[customers]\ncustomer_id = "c"\nkeep = "newest"\n': "line 3: keep is one of",
    '[customers]\ncustomer_id = { column = "c", extract = "(" }\n': "not a regular expression",
    '[customers]\ncustomer_id = { column = "c", scale = 2 }\n': "is no number",
    '[customers]\ncustomer_id = { column = "c", format = "dmy" }\n': "is no time",
    '[customers]\ncustomer_id = { column = "c", map = "x" }\n': "map is a table",
    '[customers]\ncustomer_id = { columns = "c" }\n': "columns is a list of texts",
    '[customers]\ncustomer_id="c"\n[products]\nkeep="all"\nproduct_id="p"\n': "line 4: 'products' is not the main",
    '[sessions]\nsession_id = "s"\nrow = "r"\n': "line 3: 'row' is the importer's own name",
}


@pytest.mark.parametrize("text", MAPPINGS, ids=lambda text: MAPPINGS[text][:40])
def test_a_wrong_mapping_says_the_line_and_what_is_wrong(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "m.toml", text)
    with pytest.raises(UsageError, match=MAPPINGS[text]) as error:
        Mapping.load(path)
    assert str(error.value).startswith("m.toml") and "\n" not in str(error.value)


def test_a_mapping_is_written_and_read_back_equal() -> None:
    mapping = Mapping.parse(
        ORDERS + '[product_images]\nproduct_id = "a\\"b"\nimage = { column = "x", default = "# 1" }\n'
    )
    assert Mapping.parse(mapping.to_toml()) == mapping


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["__when__"], "line 4: '__when__' is the importer's own name"),
        (["File"], "line 4: 'File' is the importer's own name"),
        (["*"], "line 4: '\\*' is the importer's own name"),
        (["^a$"], "own name"),
        ([" "], "own name"),
        (["Pages", "pages"], "line 5: 'pages' differs from 'Pages' by capitals only"),
        (["Country"], "write 'country'"),
    ],
)
def test_names_of_ones_own_that_sql_would_confuse_are_refused(columns: list[str], says: str) -> None:
    lines = ["[sessions]", 'ts = "t"', 'converted = "c"', *(f'"{name}" = {{ column = "x" }}' for name in columns)]
    with pytest.raises(UsageError, match=says):
        Mapping.parse("\n".join(lines))


def test_headings_and_names_may_hold_what_sql_and_toml_would_read(tmp_path: Path) -> None:
    names = [
        'a"b',
        "c'd",
        "e; drop table events",
        "f\\g",
        "h] =",
        "k\tl",
        "value",
        "text",
        "key",
        "SELECT",
        "%s",
        "{x}",
        "🙂",
    ]
    heading = ",".join('"' + name.replace('"', '""') + '"' for name in ["ts", *names])
    path = write(tmp_path / "a.csv", [heading, ",".join(["2024-03-05", *map(str, range(len(names)))])])
    quoted = [json.dumps(name, ensure_ascii=False) for name in names]
    lines = [f"{name} = {{ column = {name}, type = 'number' }}" for name in quoted]
    own = ["[sessions]", 'ts = "ts"', 'converted = { value = "no" }', *lines]
    run(path, "\n".join(own), tmp_path / "s")
    sessions = Shop.open(tmp_path / "s").read("sessions")
    assert [sessions[name][0] for name in names] == list(range(len(names)))
    listed = f'[products]\nproduct_id = "text"\ntitle = "value"\nattributes = {{ columns = [{", ".join(quoted)}] }}'
    run(path, listed, tmp_path / "p")
    found = Shop.open(tmp_path / "p").sql("SELECT map_keys(attributes) AS k, map_values(attributes) AS v FROM products")
    assert found["k"].to_list() == [names]
    assert found["v"].to_list() == [list(map(str, range(len(names))))]
