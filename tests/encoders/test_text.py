"""Subword vocabularies: any language, stable, saved as text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.encoders.text import PAD, Vocabulary
from danggol.errors import DataError

TEXTS = [
    "빨간 가죽 가방",
    "빨간 원피스",
    "파란 가죽 신발",
    "red leather bag",
    "RED dress",
    "blue leather shoes",
    "革のバッグ",
] * 3


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.learn(TEXTS, 200)


def test_rows_have_the_length_asked_for_and_a_missing_text_is_empty(vocabulary: Vocabulary) -> None:
    rows = vocabulary.encode(["빨간 가방", None, "", "red " * 50], 8)
    assert rows.shape == (4, 8)
    assert (rows[1] == PAD).all()
    assert (rows[2] == PAD).all()
    assert (rows[3] != PAD).all()
    assert rows.max() < len(vocabulary)


def test_known_words_are_whole_and_forms_of_one_letter_are_one(vocabulary: Vocabulary) -> None:
    assert vocabulary.words(vocabulary.encode(["빨간 가죽"], 4)[0][:2].tolist()) == ["▁빨간", "▁가죽"]
    same = vocabulary.encode(["RED", "red", "ｒｅｄ"], 4)
    assert (same == same[0]).all()


@settings(max_examples=50)
@given(text=st.text(max_size=40))
def test_any_text_is_encoded_and_the_saved_vocabulary_encodes_alike(text: str) -> None:
    vocabulary = Vocabulary.learn(TEXTS, 200)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert np.array_equal(vocabulary.encode([text], 12), again.encode([text], 12))


def test_the_same_texts_give_the_same_vocabulary(vocabulary: Vocabulary) -> None:
    assert Vocabulary.learn(TEXTS, 200).to_json() == vocabulary.to_json()


@pytest.mark.parametrize("text", ["", "{", '{"model": 3}'])
def test_a_damaged_vocabulary_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(DataError, match=r"^the model x is damaged \(.*\); train the model again$"):
        Vocabulary.from_json(text, "the model x")
