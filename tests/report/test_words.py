"""The words are complete in both languages, and figures are written alike."""

from __future__ import annotations

import re
from datetime import date
from importlib.resources import files

from danggol.report.words import (
    Both,
    catalogue,
    country,
    day,
    digits,
    figure,
    money,
    percent,
    say,
    shortened,
    signed,
    slots,
)
from danggol.shop.codes import COUNTRIES


def test_every_text_has_both_languages_and_the_same_slots() -> None:
    for key, text in catalogue().items():
        assert text.en.strip(), key
        assert text.ko.strip(), key
        assert slots(Both(text.en, "")) == slots(Both("", text.ko)), key


def test_every_key_that_a_template_names_is_there() -> None:
    named = set()
    for path in files("danggol.report").joinpath("templates").iterdir():
        if path.name.endswith(".jinja"):
            named |= set(re.findall(r'say\("([\w.]+)"[,)]', path.read_text("utf8")))
    assert named
    assert named <= set(catalogue())


def test_what_people_wrote_is_shortened_on_one_line() -> None:
    assert shortened("a\x07 b\n\n c", 10) == "a b c"
    assert shortened("가나다 라마바", 5) == "가나다…"
    assert shortened("가나다라마", 5) == "가나다라마"


def test_every_country_has_names() -> None:
    assert all(country(code).en != code and country(code).ko != code for code in COUNTRIES)
    assert country("XX").en == "XX"
    assert country(None).ko == "나라 미상"


def test_counted_nouns_follow_their_number() -> None:
    assert say("prediction.customers", n=1).en == "1 customer"
    assert say("prediction.customers", n=1200).en == "1,200 customers"
    assert say("prediction.customers", n=1200).ko == "고객 1,200명"


def test_values_are_escaped_and_never_looked_into() -> None:
    said = say("example.customer", id="{n} <b> {0.__class__}")
    assert said.en == "Customer {n} <b> {0.__class__}"
    assert "&lt;b&gt;" in said.__html__()


def test_a_text_that_is_the_same_stands_once() -> None:
    assert Both("ALS", "ALS").__html__() == "ALS"
    assert Both("Rows", "행").__html__().count("<span") == 2


def test_figures() -> None:
    assert figure(0.39444) == "0.394"
    assert figure(None) == "–"
    assert [digits(value) for value in (None, 0.0, 0.27, 0.0123, 0.00123, 0.000012, 1e-12)] == [3, 3, 3, 3, 4, 6, 8]
    assert signed(-0.01) == "−0.010"
    assert [percent(share) for share in (0, 1, 0.5, 0.0001, 0.99999, None)] == [
        "0%",
        "100%",
        "50.0%",
        "<0.1%",
        "99.9%",
        "–",
    ]
    assert money(12.5, "USD") == "USD 12.50"
    assert money(1234567.8, "KRW") == "KRW 1,234,568"
    assert day(date(2011, 12, 9)) == Both("9 Dec 2011", "2011년 12월 9일")
