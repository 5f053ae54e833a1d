"""Words, numbers and codes are read the way sellers mean them."""

from __future__ import annotations

import numpy as np

from danggol.matching.records.models import model_numbers
from danggol.matching.records.words import Bag, codes, numbers, spelt, words


def test_versions_are_written_one_way() -> None:
    assert words(spelt("Soundtrack v1 .2")) == words(spelt("soundtrack 1.2"))
    assert words(spelt("Quest III 3.0")) == ["quest", "3", "3"]
    assert numbers(spelt("dp5 competitive upgrade 2006")) == ["5", "2006"]


def test_linked_codes_are_one_code() -> None:
    assert codes(spelt("sony DSC-W170 camera")) == ["dscw170", "w170"]
    assert codes("plain words only") == []


def test_a_code_is_found_in_another_spelling_and_contradicted_by_another_code() -> None:
    texts = [spelt(text) for text in ("sony camera dscw170", "sony cyber-shot dsc-w170 kit", "sony dsc-w290 camera")]
    found = model_numbers(texts, texts, np.array([0, 0]), np.array([1, 2]))
    assert found["code_found_share_left"].tolist() == [1.0, 0.0]
    assert found["code_prefix_left"].tolist() == [0.0, 4.0]
    assert found["code_begun_share_left"][0] > found["code_begun_share_left"][1]


def test_rare_words_weigh_more() -> None:
    bag = Bag.of([["the", "camera"], ["the"], ["the", "the"], []])
    assert bag.idf[bag.names.index("camera")] > bag.idf[bag.names.index("the")]
    assert bag.there.shape == (4, 2)
