import unicodedata

import pytest

from danggol.matching.inputs.titles import clean, codes, numbers, quantities


def test_one_quantity_has_one_spelling():
    assert {clean(text) for text in ("Gula 500 gr", "GULA 0,5kg", "gula 500G", "Gula  ５００ gram!")} == {"gula 500g"}
    assert quantities(clean("Sabun 1L isi 3 pcs")) == [("1000ml", "volume"), ("3pcs", "count")]


def test_escaped_bytes_are_read():
    assert clean(r"Cr\xc3\xa8me \xe2\x9c\xa8 Murah &amp; Baru") == "crème murah baru"
    assert clean(r"\xff\xfe broken") == "broken"
    assert clean(None) == "" == clean("")


def test_numbers_and_codes_are_told_apart():
    text = clean("Tripod WT-3520 A10s 2 in 1 500 ml 3.5mm")
    assert codes(text) == ["a10s"]
    assert numbers(text) == ["3520", "2", "1"]
    assert quantities(text) == [("500ml", "volume"), ("3.5mm", "length")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Powerbank 10.000mAh", "powerbank 10000 mah"),
        ("air 1.000 ml", "air 1 liter"),
        ("air 1,000 ml", "air 1 l"),
        ("isi 1.000.000 pcs", "isi 1000000pcs"),
        ("beras 1.500 kg", "beras 1500 gr"),
        ("beras 1.500 gr", "beras 1,5 kg"),
        ("garam 1,250.5 g", "garam 1250.5g"),
        ("pipa 1.500 mm", "pipa 1,5 m"),
    ],
)
def test_a_mark_between_thousands_is_none_before_a_fraction(one: str, other: str) -> None:
    assert clean(one) == clean(other)


def test_a_fraction_stays_one() -> None:
    assert clean("emas 0.125 gr") == "emas 0.125g"
    assert clean("sekrup 3.175 mm") == "sekrup 3.175mm"
    assert clean("layar 1.125 inch") == "layar 1.125inch"
    assert quantities(clean("exp 12.05.2021 g")) == []


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("น้ำหอมผู้หญิง 50 มล.", ["น้ำหอมผู้หญิง", "50", "มล"]),
        ("हिन्दी किताब!", ["हिन्दी", "किताब"]),
        ("தமிழ் (நூல்)", ["தமிழ்", "நூல்"]),
        ("שָׁלוֹם_עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
    ],
)
def test_letters_keep_their_marks(title: str, words: list[str]) -> None:
    assert clean(title) == " ".join(unicodedata.normalize("NFKC", word) for word in words)


def test_marks_on_no_letter_go() -> None:
    assert clean("❤️ Kaos 1️⃣ ´polos` ™") == "kaos 1 polos tm"
    assert clean("İSTANBUL") == "istanbul"
    assert clean("a_b\tc\x00d\ufeffe") == "a b c d e"


def test_hangul_in_parts_is_put_together() -> None:
    assert clean(unicodedata.normalize("NFD", "한국 홍삼 500그램")) == "한국 홍삼 500g"
