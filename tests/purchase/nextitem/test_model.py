"""The next item of a session: what follows is learnt, strangers get an answer, and a saved model says the same."""

from __future__ import annotations

import numpy as np
import pytest

from danggol.errors import DataError, UsageError
from danggol.purchase.nextitem import NextItemModel, NextItemSettings
from danggol.purchase.nextitem.baselines import CoVisitation, LocalPopularity, SessionEASE, SessionKNN
from danggol.purchase.nextitem.candidates import candidates
from danggol.purchase.nextitem.gru import GRU4Rec
from danggol.purchase.nextitem.sessions import Catalogue
from danggol.purchase.nextitem.sources import Counts, Ids, filled, pairs

ITEMS, LOCALES = 60, ("DE", "JP")


def name(number: int) -> str:
    return f"B{number:05d}"


def walks(count: int, seed: int = 0) -> tuple[list[list[str]], list[str]]:
    """Sessions that mostly go from item i to i + 7 (DE) or i + 11 (JP)."""
    rng = np.random.default_rng(seed)
    sessions, locales = [], []
    for _ in range(count):
        locale = int(rng.integers(2))
        at, found = int(rng.integers(ITEMS)), []
        for _ in range(int(rng.integers(2, 6))):
            found.append(name(at))
            at = (at + (7, 11)[locale]) % ITEMS if rng.random() < 0.8 else int(rng.integers(ITEMS))
        sessions.append(found)
        locales.append(LOCALES[locale])
    return sessions, locales


@pytest.fixture(scope="module")
def model() -> NextItemModel:
    return NextItemModel(NextItemSettings(rounds=20, threads=1)).fit(*walks(1500))


def test_direction_and_locale_are_learnt(model: NextItemModel) -> None:
    found = model.predict([[name(20)], [name(20)]], ["DE", "JP"], k=1)
    assert found["item"].to_list() == [name(27), name(31)]


def test_the_last_item_is_found_as_often_as_it_can_be(model: NextItemModel) -> None:
    sessions, locales = walks(500, seed=1)
    found = model.predict([one[:-1] for one in sessions], locales, k=1)
    share = np.mean([item == one[-1] for item, one in zip(found["item"], sessions, strict=True)])
    assert share > 0.7, "8 of 10 follow the rule"


def test_everybody_gets_a_whole_list_without_repeats(model: NextItemModel) -> None:
    asked = [[], ["never seen"], [name(3), "never seen", name(3)], [name(5)]]
    found = model.predict(asked, ["DE", None, "XX", "JP"], k=20)
    by_session = found.group_by("session", maintain_order=True).agg("item", "rank")
    assert by_session["session"].to_list() == [0, 1, 2, 3]
    for items, rank in zip(by_session["item"], by_session["rank"], strict=True):
        assert len(set(items)) == 20
        assert rank.to_list() == list(range(1, 21))


def test_an_item_that_nobody_else_has_seen_can_come_again() -> None:
    sessions = [[f"only {nth}", f"also {nth}", f"only {nth}"] for nth in range(200)]
    model = NextItemModel(NextItemSettings(rounds=20, threads=1)).fit(sessions)
    found = model.predict([["fresh", "other"]], k=2)
    assert set(found["item"]) == {"fresh", "other"}
    assert found["item"][0] == "fresh", "those who came from it went back to it"


def test_a_saved_model_says_the_same(model: NextItemModel, tmp_path) -> None:
    model.save(tmp_path / "next")
    asked, locales = [[name(1), name(8)], ["never seen"], []], ["DE", "JP", None]
    again = NextItemModel.load(tmp_path / "next")
    assert again.predict(asked, locales).equals(model.predict(asked, locales))
    assert sorted(file.name for file in (tmp_path / "next").iterdir()) == [
        "config.json",
        "ranker.txt",
        "sessions.jsonl",
    ]


def test_a_folder_of_another_model_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="no model"):
        NextItemModel.load(tmp_path / "nothing")
    (tmp_path / "config.json").write_text('{"capability": "purchase", "format": 1}')
    with pytest.raises(DataError, match="next item"):
        NextItemModel.load(tmp_path)


def test_few_sessions_still_give_a_model() -> None:
    model = NextItemModel().fit([["a", "b"], ["a", "b"], ["b", "c"], []], ["DE", "DE", "JP", "JP"])
    assert model.booster is None
    assert model.predict([["a"]], ["DE"], k=1)["item"].to_list() == ["b"]
    assert NextItemModel().fit([["a"]]).predict([[]], k=5)["item"].to_list() == ["a"]


def test_what_cannot_be_learnt_from_is_refused() -> None:
    with pytest.raises(DataError, match="no session"):
        NextItemModel().fit([[], []])
    with pytest.raises(UsageError, match="one locale each"):
        NextItemModel().fit([["a", "b"]], [])
    with pytest.raises(DataError, match="null"):
        NextItemModel().fit([["a", None]])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="k must be"):
        NextItemModel().fit([["a", "b"]]).predict([["a"]], k=0)


def test_the_same_seed_gives_the_same_answers(model: NextItemModel) -> None:
    again = NextItemModel(model.settings).fit(*walks(1500))
    asked = walks(50, seed=2)
    assert again.predict(*asked).equals(model.predict(*asked))


def test_answers_do_not_depend_on_who_else_is_asked(model: NextItemModel) -> None:
    sessions, locales = walks(60, seed=3)
    together = model.predict(sessions, locales, k=10)
    alone = model.predict(sessions[7:8], locales[7:8], k=10)
    assert together.filter(session=7)["item"].to_list() == alone["item"].to_list()


def test_a_fold_is_scored_without_its_own_sessions(model: NextItemModel) -> None:
    catalogue = Catalogue.of([["a1234", "a1235"], ["b", "c"]], ["DE", "DE"])
    known, names = catalogue.encode([["a1234", "a1235"], ["b", "c"]], ["DE", "DE"])
    counts = Counts(catalogue.items, 1, Ids.of(names)).fit(known.take(np.array([1])))
    found = candidates(counts, known.take(np.array([0])).without_last()[0], Ids.of(names))
    assert names[found.item].tolist() == ["a1234"], "its sibling in the catalogue was not in the counted sessions"


def test_siblings_by_id_and_what_goes_with_them_are_candidates_of_an_unknown_item() -> None:
    catalogue = Catalogue.of([["B01KF0FJX2", "B0XXXXXXXX"]], ["DE"])
    known, _ = catalogue.encode([["B01KF0FJX2", "B0XXXXXXXX"]], ["DE"])
    asked, names = catalogue.encode([["B01KF0ZZZZ"]], ["DE"])
    ids = Ids.of(names)
    found = candidates(Counts(catalogue.items, 1, ids).fit(known), asked, ids)
    assert set(names[found.item]) == {"B01KF0ZZZZ", "B01KF0FJX2", "B0XXXXXXXX"}
    sibling = found.values[names[found.item] == "B01KF0FJX2", found.names.index("siblings")]
    assert sibling[0] > 0


def test_pairs_are_within_a_session_and_know_their_gap() -> None:
    sessions, _ = Catalogue(["a", "b", "c"], []).encode([["a", "b", "c"], ["c", "a"], ["b", "b"]])
    first, second, gap, row = pairs(sessions)
    found = sorted(zip(first.tolist(), second.tolist(), gap.tolist(), row.tolist(), strict=True))
    assert found == [(0, 1, 1, 0), (0, 2, 2, 0), (1, 2, 1, 0), (2, 0, 1, 1)]


def test_sessions_are_taken_and_cut() -> None:
    sessions, names = Catalogue(["a", "b"], ["DE"]).encode([["a", "x"], ["b"], ["b", "a", "a"]], ["DE", "JP", "DE"])
    assert names.tolist() == ["a", "b", "x"]
    assert sessions.locale.tolist() == [0, -1, 0]
    part = sessions.take(np.array([2, 0]))
    assert part.item.tolist() == [1, 0, 0, 0, 2]
    prefixes, last = part.without_last()
    assert (prefixes.item.tolist(), last.tolist()) == ([1, 0, 0], [0, 2])
    assert (part.at(0).tolist(), part.at(2).tolist()) == ([0, 2], [1, -1])
    assert part.from_end.tolist() == [2, 1, 0, 1, 0]


def test_lists_are_filled_with_what_is_popular() -> None:
    none = np.zeros(0, np.int64)
    top, _ = filled(np.array([0, 0]), np.array([4, 2]), np.array([0.1, 0.9], np.float32), np.array([[2, 7], [7, 2]]), 3)
    assert top.tolist() == [[2, 4, 7], [7, 2, -1]]
    top, _ = filled(none, none, np.zeros(0, np.float32), np.array([[1]]), 2)
    assert top.tolist() == [[1, -1]]


@pytest.mark.parametrize(
    "peer",
    [
        CoVisitation(),
        SessionKNN(),
        SessionEASE(),
        GRU4Rec(width=32, epochs=10, batch_size=64, negatives=64, learning_rate=5e-3),
    ],
    ids=lambda peer: peer.name,
)
def test_every_peer_learns_the_rule(peer) -> None:
    sessions, locales = walks(1500)
    catalogue = Catalogue.of(sessions, locales)
    known, _ = catalogue.encode(sessions, locales)
    peer.own = 0.0
    peer.fit(known, catalogue.items, len(catalogue.locales))
    asked, _ = catalogue.encode([[name(20)], ["never seen"], []], ["DE", "DE", None])
    top = peer.rank(asked, 10)
    assert {27, 31} & set(top[0][:5].tolist())
    popular = LocalPopularity().fit(known, catalogue.items, len(catalogue.locales)).rank(asked, 10)
    assert top[1:].tolist() == popular[1:].tolist()
