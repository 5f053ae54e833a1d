"""Titles as vectors: what tells two titles apart must tell in their similarity."""

import numpy as np
import pytest

from danggol.matching import Listings, Matcher
from danggol.matching.inputs.texts import TextEncoder

SHOP = [
    "novel harry potter azkaban",
    "novel harry potter phoenix",
    "kipas angin miyako kzx",
    "kipas angin miyako wqp",
    *(f"barang {word} murah" for word in "satu dua tiga empat lima enam tujuh delapan sembilan".split()),
]


@pytest.mark.parametrize("view", ["words", "characters"])
def test_titles_that_differ_in_a_word_of_their_own_are_not_one(view):
    found = getattr(TextEncoder().fit_transform(SHOP), view)
    alike = (found @ found.T).toarray()
    np.testing.assert_allclose(alike.diagonal(), 1, rtol=1e-5)
    assert alike[0, 1] < 0.85
    assert alike[2, 3] < 0.85


@pytest.mark.parametrize("view", ["words", "characters"])
def test_a_new_title_with_a_word_never_seen_is_not_the_old_one(view):
    encoder = TextEncoder()
    old = encoder.fit_transform(["harry potter", *SHOP])
    new = encoder.transform(["harry potter zzyzxqw", "harry potter", "novel harry potter azkaban", "zzyzxqw", None])
    alike = (getattr(new, view) @ getattr(old, view).T).toarray()
    assert alike[0, 0] < 0.85
    np.testing.assert_allclose([alike[1, 0], alike[2, 1]], 1, rtol=1e-5)
    assert not alike[3:].any()


def test_words_never_seen_speak_against_a_pair_that_joins():
    state = Matcher().match(Listings.of(["a", "b"], ["harry potter", "kipas angin"]))
    joined = Matcher().join(state, Listings.of(["c", "d"], ["harry potter zzyzxqw vwxkj", "kipas angin"]))
    covered = joined.evidence.pairs.values[:, joined.evidence.pairs.names.index("covered_low")]
    found = dict(zip(zip(joined.evidence.pairs.left, joined.evidence.pairs.right, strict=True), covered, strict=True))
    assert found[0, 2] < 0.6
    assert found[1, 3] == pytest.approx(1)
