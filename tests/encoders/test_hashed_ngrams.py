import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danggol.encoders.hashed_ngrams import Grams, hashed_ngrams


def row(text: str, unit: str, low: int, high: int) -> np.ndarray:
    return hashed_ngrams([text], [Grams(unit=unit, low=low, high=high)], 16).toarray()[0]


def test_characters_do_not_see_spaces_and_edges_do() -> None:
    assert (row("좋은 옷", "characters", 1, 3) == row("좋은옷", "characters", 1, 3)).all()
    assert (row("좋은 옷", "edges", 2, 3) != row("좋은옷", "edges", 2, 3)).any()
    assert (
        row("abab", "characters", 2, 2).tolist()
        == (row("ab", "characters", 2, 2) * 2 + row("ba", "characters", 2, 2)).tolist()
    )


def test_jamo_of_a_typo_are_nearly_the_same() -> None:
    right, typo = (row(text, "jamo", 1, 3) for text in ("좋아요", "조아요"))
    assert np.minimum(right, typo).sum() >= 0.6 * right.sum()
    assert row("각", "jamo", 1, 1).sum() == 3
    assert row("가ㅋ", "jamo", 1, 1).sum() == 3


def test_words_are_whole() -> None:
    assert row("so so good", "words", 1, 1).max() == 2
    assert (row("a  b", "words", 1, 2) == row("a b", "words", 1, 2)).all()
    assert (row("a b", "words", 2, 2) != row("b a", "words", 2, 2)).any()


@settings(max_examples=60)
@given(st.lists(st.text(max_size=12), max_size=6), st.sampled_from(["characters", "edges", "jamo", "words"]))
def test_a_row_depends_on_its_text_alone_and_counts_all(texts: list[str], unit: str) -> None:
    family = [Grams(unit=unit, low=1, high=3)]
    whole = hashed_ngrams(texts, family, 12)
    assert whole.shape == (len(texts), 4096)
    for nth, text in enumerate(texts):
        assert (whole[nth] != hashed_ngrams([text], family, 12)).nnz == 0
        if unit == "words":
            many = len(text.split())
            assert whole[nth].sum() == sum(max(many - order, 0) for order in range(3))


def test_low_above_high_is_refused() -> None:
    with pytest.raises(ValueError, match="below low"):
        Grams(low=3, high=2)
