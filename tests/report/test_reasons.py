"""Reasons as sentences: the fullest wording that the arguments allow, and grace where the code is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danggol.report.sections.goods import Good
from danggol.report.sections.reasons import arguments, explain
from danggol.report.words import model

GOODS = {
    "p1": Good("p1", "Blue <b>mug</b>", "en", "", None, ""),
    "KR": Good("KR", "KR", "", "", None, "", listed=False),
}


@pytest.mark.parametrize(
    ("code", "args", "sentence"),
    [
        ("bought_before", {}, "The customer has bought it before."),
        ("bought_before", {"times": "1"}, "Bought 1 time before."),
        (
            "bought_before",
            {"count": "4", "last_at": "2024-03-02T10:00:00"},
            "Bought 4 times before, last on 2 Mar 2024.",
        ),
        ("bought_together", {"other_id": "p1"}, "Often bought together with “Blue <b>mug</b>”."),
        ("bought_together", {"other_id": "gone"}, "Customers who bought the same things bought this too."),
        ("popular_in_country", {"country": "KR"}, "Popular in South Korea."),
        ("popular_in_country", [("country", "JP")], "Popular in Japan."),
        ("popular_in_country", [{"key": "country", "value": "DE"}], "Popular in Germany."),
        ("new_code", {"a": "1"}, "Reason “new_code” (a 1)."),
        (None, None, "No reason was written."),
    ],
)
def test_a_reason_in_words(code: str | None, args: Any, sentence: str) -> None:
    assert explain(code, args, GOODS).sentence.en == sentence


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=12), st.text(max_size=80), max_size=3))
def test_no_code_and_no_arguments_break_a_sentence(code: str, args: dict[str, str]) -> None:
    reason = explain(code, args, GOODS)
    assert reason.sentence.en
    assert reason.sentence.ko
    assert arguments(args) == args


def test_a_blend_is_named_by_its_parts() -> None:
    assert model("als+frequency").en == "ALS + Own frequency"
    assert model("something-new").en == "something-new"
