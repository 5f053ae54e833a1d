import re
from importlib.resources import files
from pathlib import Path

import pytest

from danggol.errors import UsageError
from danggol.twin import MarketFile
from danggol.twin.market import names
from danggol.twin.toml_lines import line_of

DEFAULT = files("danggol.twin").joinpath("markets", "default.toml").read_text("utf8")
SMALL = files("danggol.twin").joinpath("markets", "small.toml").read_text("utf8")

BROKEN = [
    # text to replace in the default market, by what, the line's own text, what the sentence must say
    ("customers = 5000 ", "customers = 5 ", "customers = 5 ", "greater than or equal to 20"),
    ("customers = 5000 ", "customers = 'many' ", "customers = 'many'", "valid integer"),
    ("weeks = 52 ", "weaks = 52 ", "weaks", "unknown parameter 'size.weaks'; did you mean 'weeks'?"),
    ("nest = 0.92", "nest = 1.7", "nest = 1.7", "less than or equal to 1, got 1.7"),
    ("end = 2025-12-29", "end = 2025-12-30", "end = 2025-12-30", "Tuesday"),
    ("end = 2025-12-29", "end = 2045-12-25", "end = 2045-12-25", "future"),
    ("KR = 0.14", "KX = 0.14", "[countries]", "'KX' is no country of the table; did you mean"),
    ("KR = 0.14", "KR = -1", "KR = -1", "greater than 0"),
    ("[sensitivity.price]", "[sensitivity.prise]", "[sensitivity.prise]", "did you mean 'price'?"),
    ("culture = { idv = 0.12,", "culture = { idx = 0.12,", "idx = 0.12", "did you mean 'idv'?"),
    ("base = -0.9", "base = nan", "base = nan", "got nan"),
    ('name = "shoes"', 'name = "shoos"', 'name = "shoos"', "did you mean 'shoes'?"),
    ("return_rate = 0.13", "return_rate = 2", "return_rate = 2", "goods.category.3.return_rate"),
    ('name = "shoes"', 'name = "tops"', "category = [", "given twice"),
    ("month = 11, day = 28", "month = 13, day = 28", "month = 13", "less than or equal to 12"),
    ('"CA", "GB", "DE"', '"CA", "UK", "DE"', '"UK"', "'UK' is no country"),
    ('timezone = "Asia/Seoul"', 'timezone = "Asia/Soul"', "Asia/Soul", "not a time zone"),
    ('currency = "KRW"', 'currency = "XXX"', '"XXX"', "no country of the table uses"),
    ("title_languages = { ko", "title_languages = { kr", "title_languages", "did you mean"),
    ("[returns]", "[refunds]", "[refunds]", "unknown parameter 'refunds'"),
    ("habit = 1.8", "habit = ", "habit = ", "not valid TOML"),
    ("[visits]", "[visits", "[visits", "not valid TOML"),
    ("format = 1 ", "format = 2 ", "format = 2", "format 2 is not known; this package reads format = 1"),
    ("discounts = [0.1,", "discounts = [1.5,", "discounts = [1.5", "less than 0.9"),
    ("search = 0.3 ", "", "[visits]", "parameter 'visits.search' is missing"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"), BROKEN, ids=[new[:24] or "missing" for _, new, _, _ in BROKEN]
)
def test_a_broken_file_is_refused_with_the_line_and_the_reason(tmp_path: Path, old, new, line, reason):
    assert old in DEFAULT
    text = DEFAULT.replace(old, new, 1)
    path = tmp_path / "broken.toml"
    path.write_text(text, "utf8")
    with pytest.raises(UsageError) as refused:
        MarketFile.load(path)
    said = str(refused.value)
    where = re.match(rf"{re.escape(str(path))}, line (\d+): ", said)
    assert where, said
    assert line in text.splitlines()[int(where[1]) - 1], said
    assert reason in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the file does not say its format"),
        ('format = 1\nbase = "defualt"\n', "line 2: 'defualt' is no market to build on; did you mean 'default'?"),
        ('format = 1\nname = "x"\n', "parameter 'shop' is missing (or say base = \"default\""),
        ('format = 1\nbase = "default"\n[size]\nproducts = 3\n', "line 4: parameter 'size.products'"),
        ('format = 1\nbase = "default"\nsize = 3\n', "line 3: parameter 'size'"),
        (
            'format = 1\nbase = "default"\n[countries]\nKR = 1.0\n',
            "line 3: parameter 'countries': a market needs at least 2",
        ),
    ],
)
def test_a_file_on_a_base_is_refused_with_the_line_and_the_reason(tmp_path: Path, text, reason):
    path = tmp_path / "market.toml"
    path.write_text(text, "utf8")
    with pytest.raises(UsageError) as refused:
        MarketFile.load(path)
    assert reason in str(refused.value)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="'smal' is no market; did you mean 'small'"):
        MarketFile.load("smal")
    with pytest.raises(UsageError, match="cannot read the market file"):
        MarketFile.load(tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes("format = 1\nname = 'Größe'\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"line 2: the file is not UTF-8"):
        MarketFile.load(latin)


def test_the_markets_of_the_package_load_and_differ():
    markets = {name: MarketFile.load(name) for name in names()}
    assert {"default", "small"} <= set(markets)
    assert all(name == market.name for name, market in markets.items())
    assert len({market.digest for market in markets.values()}) == len(markets)
    assert len(markets["default"].parameters.countries) == 24
    assert len(markets["small"].parameters.countries) == 8


def test_a_base_gives_what_a_file_leaves_out_and_countries_are_replaced_as_a_whole():
    small, default = MarketFile.load("small").parameters, MarketFile.load("default").parameters
    assert small.choice == default.choice
    assert small.goods.sellers == 8
    assert "SE" not in small.countries


def test_every_parameter_has_a_comment_with_its_meaning():
    lines = DEFAULT.splitlines()
    bare = []
    for number, line in enumerate(lines):
        if re.match(r"[a-z_]+ = ", line) and "#" not in line:
            above = [text for text in lines[max(0, number - 2) : number] if text.startswith("#")]
            under_header = any(key in line for key in ("base =", "culture =", "country_sd =", "person_sd ="))
            if not above and not under_header:
                bare.append(line)
    assert bare == []


def test_the_documentation_names_every_parameter():
    page = Path(__file__).parents[2] / "docs" / "twin.md"
    written = page.read_text("utf8")
    sections = MarketFile.load("default").parameters.model_dump()
    names = {name for section in sections.values() if isinstance(section, dict) for name in section}
    names |= set(sections["goods"]["category"][0]) | set(sections["offers"]["sale"][0])
    names -= set(sections["countries"])
    assert sorted(name for name in names if f"`{name}`" not in written) == []


def test_the_line_of_a_value_is_found_in_every_form_of_toml():
    text = "\n".join(
        [
            "a = 1  # not b = 2",  # 1
            "[t]",  # 2
            "x.y = '''",  # 3
            "k = 9",  # 4
            "'''",  # 5
            "list = [",  # 6
            "  { p = 1, 'q r' = [1, 2,",  # 7
            "     3] },  # }",  # 8
            "]",  # 9
            "[[many]]",  # 10
            "v = 2020-01-01",  # 11
            "[[many]]",  # 12
            'v = "]#"',  # 13
            "[many.sub]",  # 14
            "w = {}",  # 15
        ]
    )
    places = {
        ("a",): 1,
        ("t", "x", "y"): 3,
        ("t", "list", 0, "p"): 7,
        ("t", "list", 0, "q r", 2): 8,
        ("many", 0, "v"): 11,
        ("many", 1, "v"): 13,
        ("many", 1, "sub", "w"): 15,
        ("many", 1, "sub", "nothing"): 14,
        ("nowhere",): 1,
    }
    assert {path: line_of(text, path) for path in places} == places
