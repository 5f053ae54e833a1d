import numpy as np
import polars as pl
import pytest

from danggol.errors import DataError, UsageError
from danggol.reviews.aspects.settings import TopicSettings
from danggol.reviews.aspects.topics import topics
from danggol.reviews.keywords import keywords, log_odds

SAID = {
    "smell": ["strange chemical smell", "the smell is strong", "smells like chemical paint", "odd smell for days"],
    "dog": ["my dog loves chewing it", "dog toy for our puppy", "the puppy and dog sleep on it", "our dog ate it"],
    "noise": ["makes a loud noise", "noise at night is loud", "very loud humming noise", "humming noise when on"],
}


def clauses(count=30, seed=0):
    rng = np.random.default_rng(seed)
    names = rng.choice(list(SAID), count * 3)
    told = [
        f"{rng.choice(SAID[name])} {rng.choice(list('abcdefghijklmnopqrstuvwxyz'))}{rng.choice(list('aeiou'))}"
        for name in names
    ]
    return pl.DataFrame({"row": range(len(told)), "clause": told}), names


def test_gathers_clauses_that_name_the_same():
    table, names = clauses()
    found, labelled = topics(table)
    made = {words[0]: topic for topic, words in found.select("topic", "words").iter_rows()}
    assert {"smell", "dog", "noise"} <= set(made)
    for name in SAID:
        inside = names[(labelled["topic"] == made[name]).fill_null(value=False).to_numpy()]
        assert (inside == name).all() and len(inside) > 15
    assert all(0 < len(one) <= 3 for one in found["examples"])
    assert "smell" in found.filter(pl.col("topic") == made["smell"])["keywords"][0].to_list()


def test_words_that_are_said_together_make_one_topic():
    texts = ["skin rash after a week", "red skin, bad rash", "my skin got a rash", "skin is soft", "dry skin"] * 3
    found, _ = topics(pl.DataFrame({"row": range(15), "clause": texts}))
    assert found["words"][0].to_list() == ["skin", "rash"]


def test_korean_words_are_gathered_whatever_their_endings():
    texts = [
        "냄새가 심해요",
        "냄새도 나고",
        "냄새나요",
        "이상한 냄새",
        "냄새는 별로",
        "설치가 힘들어요",
        "설치도 어려움",
    ] * 2
    for morphemes in (True, False):
        found, _ = topics(
            pl.DataFrame({"row": range(14), "clause": texts}), TopicSettings(morphemes=morphemes, fewest=4)
        )
        assert [words[0] for words in found["words"]] == ["냄새", "설치"]


def test_is_empty_where_there_is_little():
    table, _ = clauses()
    found, labelled = topics(table.head(4))
    assert found.height == 0 and labelled["topic"].null_count() == 4
    assert topics(table.clear())[0].height == 0
    assert topics(pl.DataFrame({"row": range(20), "clause": ["!!"] * 20}))[0].height == 0
    with pytest.raises(DataError, match="lacks the column 'clause'"):
        topics(table.drop("clause"))


def test_log_odds_follow_the_formula():
    counts, prior = np.array([[8.0, 2.0], [3.0, 7.0]]), np.array([1.0, 2.0])
    odds, z = log_odds(counts, prior)
    first = np.log(9 / (10 + 3 - 9)) - np.log(4 / (10 + 3 - 4))
    assert np.isclose(odds[0, 0], first) and np.isclose(z[0, 0], first / np.sqrt(1 / 9 + 1 / 4))
    assert np.allclose(odds[0], -odds[1])
    with pytest.raises(UsageError, match="above 0"):
        log_odds(counts, np.array([0.0, 1.0]))


def test_keywords_tell_a_group_from_the_others():
    table, names = clauses()
    found = keywords(table["clause"].to_list(), names.tolist(), most=2)
    top = dict(found.filter(pl.col("rank") == 1).select("group", "keyword").rows())
    assert "smell" in top["smell"] and "dog" in top["dog"] and "noise" in top["noise"]
    assert (found["z"] > 1.96).all()


def test_korean_letters_that_stand_alone_stay_as_they_are_typed():
    found = keywords(["아쉬워요 ㅠㅠ"] * 20 + ["좋아요"] * 20, ["bad"] * 20 + ["good"] * 20, strength=10)
    assert "ㅠㅠ" in " ".join(found["keyword"])


def test_random_groups_have_few_keywords():
    table, _ = clauses(100)
    groups = np.random.default_rng(1).choice(["a", "b"], table.height).tolist()
    assert keywords(table["clause"].to_list(), groups, most=100).height <= 4


def test_groups_are_one_a_text():
    with pytest.raises(UsageError, match="2 texts and 1 groups"):
        keywords(["a", "b"], ["x"])
    with pytest.raises(DataError, match="two or more"):
        keywords(["a", "b"], ["x", None])
