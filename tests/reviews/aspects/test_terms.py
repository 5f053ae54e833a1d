import itertools

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from danggol.errors import DataError, UsageError
from danggol.reviews.aspects.clauses import clauses_of
from danggol.reviews.aspects.crf import Crf, _allowed, _best, _expected
from danggol.reviews.aspects.term_tokens import tokens_of
from danggol.reviews.aspects.terms import AspectModel, Term

THINGS = ("screen", "battery life", "staff", "price", "keyboard")
GOOD, BAD = ("great", "lovely", "superb"), ("awful", "broken", "rude")


def marked(count, seed=0):
    rng = np.random.default_rng(seed)
    texts, terms = [], []
    for _ in range(count):
        thing, pleased = str(rng.choice(THINGS)), bool(rng.random() < 0.5)
        word = str(rng.choice(GOOD if pleased else BAD))
        text = f"The {thing} is {word}." if rng.random() < 0.5 else f"I think the {thing} was really {word} today"
        at = text.index(thing)
        texts.append(text)
        terms.append([Term(at, at + len(thing), "positive" if pleased else "negative")])
    return [*texts, "I went home."], [*terms, []]


def test_finds_terms_and_how_they_are_spoken_of():
    model = AspectModel().fit(*marked(150))
    found = model.predict(
        ["The battery life is awful.", "I went home.", "I think the price was really superb today", ""]
    )
    assert found.select("row", "span", "polarity").rows() == [(0, "battery life", "negative"), (2, "price", "positive")]
    assert found["score"][0] < 0 < found["score"][1]
    assert found["confidence"].is_between(0.5, 1).all()


def test_odd_texts_get_an_answer():
    model = AspectModel().fit(*marked(60))
    odd = ["", "a", "😀😀", "x " * 50_000, "<b>The screen is great.</b>\x00 한국어 ありがとう", "\n\n"]
    assert set(model.predict(odd)["row"]) <= {4}
    assert model.predict([]).height == 0


def test_a_korean_term_ends_where_its_particle_begins():
    words, ends = ["배송", "화면", "품질", "가격", "포장", "직원"], ["이", "은", "도", "만"]
    texts = [f"{word}{end} 정말 좋아요" for word in words for end in ends]
    terms = [[Term(0, 2, "positive")] for _ in texts]
    model = AspectModel(fewest=1, strength=5.0).fit([*texts, "정말 좋아요"], [*terms, []])
    assert model.predict(["색상은 정말 좋아요"])["span"].to_list() == ["색상"]


def test_a_saved_model_says_the_same(tmp_path):
    texts, terms = marked(80)
    model = AspectModel().fit(texts, terms)
    again = AspectModel.load(model.save(tmp_path / "model"))
    assert again.predict(texts).equals(model.predict(texts))
    (tmp_path / "model" / "features.json").write_text("[]")
    with pytest.raises(DataError, match="damaged"):
        AspectModel.load(tmp_path / "model")


def test_a_scorer_is_heard_and_asked_for(tmp_path):
    def scorer(texts):
        return np.array([1.0 if "sonne" in one else -1.0 for one in texts])

    texts, terms = marked(100)
    texts = [text.replace(".", " sonne") if one and one[0].polarity == "positive" else text
             for text, one in zip(texts, terms, strict=True)]  # fmt: skip
    model = AspectModel(scorer).fit(texts, terms)
    assert model.polarity(["The staff is odd, sonne"], [(0, 4, 9)]) == ["positive"]
    model.save(tmp_path / "model")
    with pytest.raises(UsageError, match="scorer"):
        AspectModel.load(tmp_path / "model").predict(["The staff is rude."])


@pytest.mark.parametrize(
    ("texts", "terms", "error", "words"),
    [
        (["a"], [], UsageError, "1 texts and 0"),
        (["a"], [[Term(0, 9)]], DataError, "text 1 has a term at 0 to 9"),
        (["a b", "a b"], [[], []], DataError, "no term is marked"),
    ],
)
def test_wrong_input_is_one_sentence(texts, terms, error, words):
    with pytest.raises(error, match=words):
        AspectModel().fit(texts, terms)
    with pytest.raises(UsageError, match="not fitted"):
        AspectModel().predict(["a"])


def test_the_field_sums_over_all_tags():
    rng = np.random.default_rng(0)
    emitted, moves = rng.normal(size=(4, 3)), _allowed(rng.normal(size=(4, 3)))
    scores = {}
    for tags in itertools.product(range(3), repeat=4):
        before = (3, *tags[:-1])
        scores[tags] = sum(emitted[nth, tag] + moves[before[nth], tag] for nth, tag in enumerate(tags))
    places = [np.array([nth]) for nth in range(4)]
    total, share, _ = _expected(emitted, moves, places)
    every = np.exp(np.array(list(scores.values())) - total)
    assert np.isclose(every.sum(), 1)
    first = sum(weight for tags, weight in zip(scores, every, strict=True) if tags[1] == 1)
    assert np.isclose(share[1, 1], first)
    assert tuple(_best(emitted, moves, places)) == max(scores, key=scores.get)


def test_the_field_learns_a_chain():
    rows = csr_matrix(np.tile(np.eye(3), (20, 1)))
    tags = np.tile([0, 1, 2], 20)
    model = Crf.fit(rows, tags, np.full(20, 3), 10.0, 50)
    assert np.array_equal(model.decode(rows, np.full(20, 3))[0], tags)


def test_tokens_know_where_they_stand():
    text = "The battery-life 배터리가 최고!"
    found = tokens_of(text)
    assert [one.text for one in found] == ["The", "battery", "-", "life", "배", "터", "리", "가", "최", "고", "!"]
    assert all(text[one.start : one.end] == one.text for one in found)
    assert (found[5].before, found[5].after) == ("배", "리가")


def test_clauses_are_cut_where_the_subject_changes():
    text = "배송은 빠른데 포장이 엉망이에요. Good price, 2.5 stars but slow"
    found = clauses_of(text)
    assert [one.text for one in found] == ["배송은 빠른데", "포장이 엉망이에요", "Good price", "2.5 stars", "but slow"]
    assert all(text[one.start : one.end] == one.text for one in found)
