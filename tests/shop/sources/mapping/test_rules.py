"""A mapping is read strictly, says where it is wrong, and is written as it was."""

from pathlib import Path

import pytest
from own_files import ORDERS, write

from danggol.errors import UsageError
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
