"""N-grams beside scikit-learn's and beside what a reader would count."""

import json
import time

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from danggol.encoders.ngrams import Ngrams, NgramSettings
from danggol.errors import DataError, UsageError

TEXTS = ["Good bag, very good!", "bad bag", None, "  ", "the bag is not good. bad", "very very bad"]


def cell(found: csr_matrix, ngrams: Ngrams, row: int, name: str) -> float:
    return float(found[row, ngrams.names.index(name)]) if name in ngrams.names else 0.0


def theirs(**settings: object) -> tuple[np.ndarray, list[str]]:
    peer = TfidfVectorizer(**({"min_df": 2, "sublinear_tf": True} | settings))
    found = peer.fit_transform([text or "" for text in TEXTS]).toarray()
    return found, list(peer.get_feature_names_out())


@pytest.mark.parametrize(
    ("ours", "peer"),
    [
        (
            {"kind": "words", "low": 1, "high": 3},
            {"token_pattern": r"\w+(?:'\w+)*|[^\w\s]+", "ngram_range": (1, 3)},
        ),
        ({"kind": "words", "low": 2, "high": 2, "sublinear": False, "fewest": 1}, {
            "token_pattern": r"\w+(?:'\w+)*|[^\w\s]+", "ngram_range": (2, 2), "sublinear_tf": False, "min_df": 1}),
        ({"kind": "characters", "low": 2, "high": 3}, {"analyzer": "char_wb", "ngram_range": (2, 3)}),
        ({"kind": "running", "low": 1, "high": 3}, {
            "analyzer": "char", "ngram_range": (1, 3), "preprocessor": lambda text: " ".join(text.lower().split())}),
        ({"kind": "words", "low": 1, "high": 1, "fewest": 1, "most": 0.5}, {
            "token_pattern": r"\w+(?:'\w+)*|[^\w\s]+", "min_df": 1, "max_df": 0.5}),
    ],
)  # fmt: skip
def test_weights_are_those_of_scikit_learn(ours: dict[str, object], peer: dict[str, object]) -> None:
    ngrams = Ngrams(**ours)
    found = ngrams.fit_transform(TEXTS).toarray()
    wanted, names = theirs(**peer)
    assert sorted(ngrams.names) == sorted(names)
    order = [ngrams.names.index(name) for name in names]
    np.testing.assert_allclose(found[:, order], wanted, rtol=1e-5)


def test_only_the_most_frequent_are_kept() -> None:
    assert set(Ngrams(limit=2, fewest=1).fit(TEXTS).names) == {"bag", "bad"}


def test_new_texts_are_counted_with_the_known_ngrams() -> None:
    ngrams = Ngrams(high=2, fewest=1).fit(TEXTS)
    found = ngrams.transform(["BAD\u3000bag! unheard", "nothing known", None])
    assert found.shape == (3, len(ngrams))
    assert cell(found, ngrams, 0, "bad bag") > 0
    assert cell(found, ngrams, 0, "very") == 0
    np.testing.assert_allclose(np.linalg.norm(found.toarray(), axis=1), [1, 0, 0], rtol=1e-6)


def test_korean_words_share_their_stems_and_full_width_letters_are_letters() -> None:
    ngrams = Ngrams(kind="characters", low=1, high=3, fewest=1).fit(["배송이 빨라요", "배송은 느려요", "ＯＫ"])
    found = ngrams.transform(["배송도", "ok"])
    assert cell(found, ngrams, 0, " 배송") > 0
    assert cell(found, ngrams, 1, "ok") > 0


def test_words_after_a_negation_are_other_words_until_the_clause_ends() -> None:
    texts = ["not good at all today , good", "안 예뻐요"]
    ngrams = Ngrams(high=1, fewest=1, negations=("not", "안")).fit(texts)
    assert {"not", "not_good", "not_at", "not_all", "today", "good", "not_예뻐요"} <= set(ngrams.names)
    assert "not_today" not in ngrams.names


@pytest.mark.parametrize("kind", ["words", "characters", "running"])
def test_what_was_saved_counts_alike(kind: str) -> None:
    ngrams = Ngrams(NgramSettings(kind=kind, low=2, high=4, fewest=1, most=0.6)).fit(TEXTS)
    again = Ngrams.from_json(ngrams.to_json())
    new = [*TEXTS, "a very good bad bag . is it not good"]
    assert again.names == ngrams.names
    assert (abs(again.transform(new) - ngrams.transform(new))).max() < 1e-7


def test_wrong_use_is_said() -> None:
    with pytest.raises(UsageError, match="not learnt"):
        Ngrams().transform(["a"])
    with pytest.raises(UsageError, match="high 1 is below low 2"):
        Ngrams(low=2, high=1)
    with pytest.raises(DataError, match="no n-gram is in 2 of the 2 texts"):
        Ngrams().fit([None, ""])
    with pytest.raises(DataError, match="damaged"):
        Ngrams.from_json("{}")
    held = json.loads(Ngrams(fewest=1).fit(["a b"]).to_json())
    with pytest.raises(DataError, match="3 n-grams and 2 counts"):
        Ngrams.from_json(json.dumps(held | {"frequency": [1, 1]}))


def test_it_is_quick() -> None:
    draw = np.random.default_rng(0)
    words = np.array(["".join(draw.choice(list("abcdefgh"), draw.integers(2, 8))) for _ in range(3000)])
    texts = [" ".join(words[(3000 * draw.random(30) ** 3).astype(int)]) for _ in range(2000)]
    began = time.perf_counter()
    Ngrams(high=3).fit_transform(texts)
    Ngrams(kind="characters", low=3, high=5).fit_transform(texts)
    assert time.perf_counter() - began < 8


@pytest.mark.parametrize("kind", ["words", "characters", "running"])
def test_whole_rows_have_their_length_with_what_has_no_column(kind: str) -> None:
    held = {"kind": kind, "low": 1, "high": 2, "fewest": 2, "sublinear": False}
    plain, whole = Ngrams(**held), Ngrams(**held, whole=True)
    texts = ["red bag one", "red bag two", "bag red bag red", "red bag"]
    first, second = plain.fit_transform(texts), whole.fit_transform(texts)
    np.testing.assert_allclose(second[3].toarray(), first[3].toarray(), rtol=1e-5)
    dropped = whole.unknown(texts)
    assert dropped[3] == 0 < dropped[0]
    share = np.linalg.norm(second.toarray(), axis=1)
    np.testing.assert_allclose(first.toarray() * share[:, None], second.toarray(), rtol=1e-4)
    assert ((share < 1 - 1e-6) == (dropped > 0)).all()
    np.testing.assert_allclose(whole.transform(texts).toarray(), second.toarray(), rtol=1e-6)
    again = Ngrams.from_json(whole.to_json())
    assert again.unknown(["new red", None]).tolist() == whole.unknown(["new red", None]).tolist()


def test_the_length_of_a_whole_row_is_that_of_all_its_words() -> None:
    ngrams = Ngrams(high=1, fewest=2, sublinear=False, whole=True).fit(["a b", "a b", "a c"])
    a, b, new = np.log(4 / 4) + 1, np.log(4 / 3) + 1, np.log(4) + 1
    found = ngrams.transform(["a b c d d"])
    assert cell(found, ngrams, 0, "a") == pytest.approx(a / np.sqrt(a**2 + b**2 + 3 * new**2))
    assert ngrams.unknown(["a b c d d", None]).tolist() == [3, 0]


def test_words_between_spaces_keep_marks() -> None:
    assert set(Ngrams(high=1, fewest=1, spaced=True).fit(["น้ำหอม 3.5mm"]).names) == {
        "น้ำหอม".replace("ำ", "\u0e4d\u0e32"),
        "3.5mm",
    }
