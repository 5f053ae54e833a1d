import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from danggol.errors import UsageError
from danggol.shop.schemas import SOURCE_TABLES
from danggol.twin import MarketFile
from danggol.twin.market import names
from danggol.twin.parameters import Culture, Parameters, Sensitivities
from danggol.twin.sections import Causes, Rates
from danggol.twin.toml_lines import line_of

from .conftest import Simulated

DOCS = Path(__file__).parents[2] / "docs"

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
    ("[returns]", "[qqqqqqq]", "[qqqqqqq]", "unknown parameter 'qqqqqqq'; there are format, name, shop,"),
    ("[sensitivity.price]", "[sensibility.price]", "[sensibility.price]", "did you mean 'sensitivity'?"),
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


def limits(kind: Any) -> set[float]:
    """The bounds that a field's values must keep to, those of what it holds included."""
    if isinstance(kind, FieldInfo):
        return limits(kind.annotation) | limits_of(kind.metadata)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {bound for one in kind.model_fields.values() for bound in limits(one)}
    return limits_of(getattr(kind, "__metadata__", ())) | {bound for one in get_args(kind) for bound in limits(one)}


def limits_of(metadata: Iterable[Any]) -> set[float]:
    """The bounds among what is annotated."""
    known = [one for thing in metadata for one in getattr(thing, "metadata", [thing])]
    sides = ("ge", "gt", "le", "lt")
    return {float(getattr(one, side)) for one in known for side in sides if hasattr(one, side)}


def parameters_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every parameter by the path under which ``default.toml`` tells of it."""
    for name, field in model.model_fields.items():
        held = [field.annotation, *get_args(field.annotation)]
        within = [one for one in held if isinstance(one, type) and issubclass(one, BaseModel)]
        if within and within[0] not in (Causes, Rates, Culture):
            yield from parameters_of(within[0], path if path == "sensitivity." else f"{path}{name}.")
        else:
            yield f"{path}{name}", field


PARAMETERS = {path: field for path, field in parameters_of(Parameters) if path != "countries"}


def told() -> Any:
    """The comments of ``default.toml``, as the page of parameters reads them."""
    spec = importlib.util.spec_from_file_location("parameters_page", DOCS / "parameters.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_parameter_has_a_range_a_meaning_and_a_source_in_the_default_market():
    comments = told().Comments.of(DEFAULT)
    assert {path: text for path, text in comments.unread.items() if path != "shock"} == {}
    assert set(comments.told) == set(PARAMETERS)
    assert "Assumed" in comments.intro["countries"]


def test_the_ranges_told_are_those_that_are_checked():
    comments, wrong = told().Comments.of(DEFAULT), {}
    for path, field in PARAMETERS.items():
        said = comments.told[path].range
        found = re.findall(r"(-?\d[\d.]*(?:e\d+)?)( million)?", said)
        numbers = {float(number) * (1e6 if million else 1) for number, million in found}
        share = {0.0, 1.0} if re.search(r"\bshares?\b", said) else set()
        if not limits(field) <= numbers | share:
            wrong[path] = said
    assert wrong == {}


def test_the_page_of_parameters_names_every_one(tmp_path: Path):
    page = tmp_path / "page.md"
    told().write_parameters_page(page)
    written = page.read_text("utf8")
    names = {path.rpartition(".")[2] for path in PARAMETERS}
    assert sorted(name for name in names if f"| `{name}` |" not in written) == []
    for section in MarketFile.load("default").parameters.model_dump():
        assert section in ("format", "name") or f"\n## {section}\n" in written


def test_the_documentation_names_every_market_and_every_table_and_truth_file(small: Simulated):
    page = (DOCS / "twin.md").read_text("utf8")
    files = {file.name for file in (small.shop.path / "truth").iterdir()}
    said = {*names(), *SOURCE_TABLES, *(f"truth/{name}" for name in files)}
    assert sorted(name for name in said if f"`{name}`" not in page) == []
    for file in sorted(files - {"market.json"}):
        row = next(line for line in page.splitlines() if line.startswith(f"| `truth/{file}`"))
        columns = pl.read_parquet_schema(small.shop.path / "truth" / file)
        stems = {re.sub(r"_\d+$", "_0", re.sub(r"^likes_.*", "likes_red", name)) for name in columns}
        terms = set(Sensitivities.model_fields) if file == "customers.parquet" else set()
        assert sorted(name for name in stems - terms if f"`{name}`" not in row) == [], file


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
