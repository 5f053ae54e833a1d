import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.errors import DataError
from danggol.reviews.text import clean, cleaned, readable


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("좋아요ㅋㅋㅋㅋㅋㅋ!!!!!!", "좋아요ㅋㅋㅋ!!!"),
        ("별로 ㅠㅠ ㅋㅋ", "별로 ㅠㅠ ㅋㅋ"),
        ("<p>Good &amp; cheap</p><br/>&#9829;", "good & cheap ♥"),
        ("5 < 6 and <3", "5 < 6 and <3"),
        ("ＧＯＯＤ！　ｶﾜｲｲ", "good! カワイイ"),
        (unicodedata.normalize("NFD", "한국어 좋아요"), "한국어 좋아요"),
        ("ᄏᄏ", "ㅋㅋ"),
        ("좋\x00아\u200b요\r\n\t끝", "좋아요 끝"),
        ("예뻐요👍🏽👍", "예뻐요 👍 👍"),
        ("ÁÁ¾Æ¿ä ¹è¼Ûµµ ºü¸£°í", "좋아요 배송도 빠르고"),
        (
            "NÃO RECOMENDO! NÃO CHEGOU, NÃO RESPONDEM, NÃO COMPREM",
            "não recomendo! não chegou, não respondem, não comprem",
        ),
        ("MÁS RÁPIDO Y MÁS FÁCIL, QUÉ BIEN", "más rápido y más fácil, qué bien"),
        ("très déçu, ça été à refaire", "très déçu, ça été à refaire"),
        ("좋아요".encode("cp949"), "좋아요"),
        ("좋아요".encode(), "좋아요"),
        (None, ""),
        (" \n ", ""),
    ],
)
def test_one_form(written: str | bytes | None, read: str) -> None:
    assert clean(written) == read


def test_a_long_text_keeps_its_beginning_and_end() -> None:
    text = "시작 " + "가나다 " * 50_000 + " 끝"
    found = clean(text, 100)
    assert len(found) <= 100
    assert found.startswith("시작")
    assert found.endswith("끝")


def test_bytes_in_another_encoding_are_refused_with_their_place() -> None:
    with pytest.raises(DataError, match="text 2: the bytes are neither UTF-8 nor CP949"):
        cleaned(["좋아요", b"\xff\xfe\xff"])


@pytest.mark.parametrize("text", ["", "...", "\ufffd\ufffd가", "---"])
def test_what_says_nothing(text: str) -> None:
    assert not readable(clean(text))


@pytest.mark.parametrize("text", ["굳", "ㅋ", "1", "😀", "!!", "♡"])
def test_what_says_something(text: str) -> None:
    assert readable(clean(text))


@settings(max_examples=300)
@given(st.text(st.characters(codec=None), max_size=200))
def test_cleaning_twice_changes_no_more_of_plain_text(text: str) -> None:
    once = clean(text)
    assert len(once) <= 2000
    assert all(letter.isprintable() or letter == " " for letter in once if letter.isascii())
    if "&" not in once and "<" not in once:
        assert clean(once) == once


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        clean(content)
    except DataError as error:
        assert "UTF-8" in str(error)
