"""Settings are strict: a mistake is one sentence that names the setting."""

from pathlib import Path

import pytest
from pydantic import Field

from danggol.errors import UsageError
from danggol.settings import Settings


class Fit(Settings):
    learning_rate: float = Field(0.1, gt=0, le=1)
    leaves: int = 31
    name: str = "default"
    countries: tuple[str, ...] = ()
    fast: bool = False


def test_defaults_keywords_and_mappings() -> None:
    assert Fit.of() == Fit()
    assert Fit.of({"leaves": 7}, fast=True) == Fit(leaves=7, fast=True)
    assert Fit.of({"leaves": 7}, leaves=9).leaves == 9, "keywords have the last word"


@pytest.mark.parametrize(
    ("name", "near"), [("learning_rat", "learning_rate"), ("leafs", "leaves"), ("Name", "name"), ("zzz", "")]
)
def test_an_unknown_setting_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        Fit.of({name: 1})
    assert f"unknown setting '{name}'; did you mean '{near}" in str(caught.value)
    assert "learning_rate, leaves, name, countries, fast" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rate": 0}, r"setting 'learning_rate': .*greater than 0.*got 0"),
        ({"leaves": "many"}, r"setting 'leaves': .*integer.*got 'many'"),
        ({"leaves": 2.5}, "setting 'leaves'"),
        ({"countries": "KR"}, "setting 'countries'"),
        ({"countries": ["KR", 3]}, r"setting 'countries\.1'"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Fit.of(values)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Fit.of().leaves = 3  # type: ignore[misc]


def test_a_file_is_read_and_pairs_override_it(tmp_path: Path) -> None:
    path = tmp_path / "fit.toml"
    path.write_text('leaves = 7\nname = "단골"\ncountries = ["KR", "JP"]\n', "utf8")
    assert Fit.load(path) == Fit(leaves=7, name="단골", countries=("KR", "JP"))
    pairs = ["leaves=9", "fast=true", "learning_rate = 0.5", 'countries=["DE"]', "name=a=b"]
    loaded = Fit.load(path, pairs)
    assert loaded == Fit(leaves=9, fast=True, learning_rate=0.5, countries=("DE",), name="a=b")
    assert Fit.load() == Fit()


def test_text_that_looks_like_a_number_stays_what_it_is() -> None:
    assert Fit.load(None, ["name=text"]).name == "text"
    assert Fit.load(None, ['name="12"']).name == "12"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"leaves = = 7", "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
        (b"leafs = 7", "did you mean 'leaves'"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "fit.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        Fit.load(path)


def test_a_missing_file_and_a_bad_pair_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the settings file"):
        Fit.load(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot read the settings file"):
        Fit.load(tmp_path)
    with pytest.raises(UsageError, match="'leaves' is not of the form name=value"):
        Fit.load(None, ["leaves"])
