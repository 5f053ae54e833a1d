import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from danggol.errors import DataError, UsageError
from danggol.reviews.causes import CauseModel
from danggol.reviews.causes.facts import FactSpace, delivery_facts
from danggol.reviews.causes.ridge import ridge
from danggol.reviews.causes.views import plain, word_marks

CLASSES = {"late": "delivery", "part": "delivery", "broken": "quality", "pleased": "pleased"}
WORDS = {
    "late": ["não chegou ainda", "o produto demorou muito", "atrasado, nada de chegar"],
    "part": ["faltou um item", "veio so a metade", "recebi apenas um de dois"],
    "broken": ["produto quebrado", "chegou rasgado e não funciona", "péssima qualidade"],
    "pleased": ["adorei, recomendo", "muito bom produto", "excelente qualidade"],
}


def reviews(count, seed=0):
    rng = np.random.default_rng(seed)
    causes = rng.choice(list(WORDS), count, p=[0.2, 0.1, 0.1, 0.6]).tolist()
    texts = [f"{rng.choice(WORDS[cause])} {rng.choice(['loja', 'caixa', 'pedido', 'compra'])}" for cause in causes]
    return texts, causes


def test_names_the_cause_from_the_text_whatever_accents_and_capitals():
    texts, causes = reviews(200)
    model = CauseModel(folds=2).fit(texts, None, causes, CLASSES)
    found = model.predict(["NAO CHEGOU", "Faltou   um item!!", "pessima qualidade", "adorei"])
    assert found["cause"].to_list() == ["late", "part", "broken", "pleased"]
    assert found["class"].to_list() == ["delivery", "delivery", "quality", "pleased"]
    assert found["probability"].is_between(0, 1).all() and found["class_probability"].is_between(0, 1).all()


def test_facts_decide_where_the_text_does_not():
    rng = np.random.default_rng(0)
    days = rng.normal(0, 10, 400)
    causes = ["late" if one > 2 else "pleased" for one in days]
    facts = pl.DataFrame({"days_late": days, "status": rng.choice(["sent", "there"], 400)})
    model = CauseModel(folds=2).fit(["ok"] * 400, facts, causes)
    told = pl.DataFrame({"days_late": [-15.0, 15.0], "status": ["sent", "never seen"]})
    assert model.predict(["ok", "ok"], told)["cause"].to_list() == ["pleased", "late"]
    assert model.predict(["ok"])["cause"].is_in(["late", "pleased"]).all()


def test_is_sure_where_it_is_right():
    texts, causes = reviews(400)
    rng = np.random.default_rng(1)
    vague = ["hm"] * 200
    model = CauseModel(folds=3).fit(texts + vague, None, causes + rng.choice(list(WORDS), 200).tolist())
    clear, unclear = model.predict(["produto quebrado", "hm"])["probability"].to_list()
    assert clear > 0.9 and unclear < 0.6


def test_rare_causes_are_found_when_balanced():
    rng = np.random.default_rng(0)
    causes = rng.choice(["rare", "usual"], 600, p=[0.05, 0.95])
    share = {"rare": 0.9, "usual": 0.1}
    texts = ["smells odd" if rng.random() < share[one] else "came in a box" for one in causes]
    found = [
        CauseModel(balance=balance, folds=2).fit(texts, None, causes.tolist()).predict(["smells odd"])["cause"][0]
        for balance in (0.0, 1.0)
    ]
    assert found == ["usual", "rare"]


def test_a_saved_model_says_the_same(tmp_path):
    texts, causes = reviews(150)
    facts = pl.DataFrame({"items": [len(one) % 3 for one in texts], "status": ["sent"] * 75 + [None] * 75})
    model = CauseModel(folds=2).fit(texts, facts, causes, CLASSES)
    again = CauseModel.load(model.save(tmp_path / "model"))
    assert again.predict(texts, facts).equals(model.predict(texts, facts))
    assert again.telling("late", 3) == model.telling("late", 3)
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged"):
        CauseModel.load(tmp_path / "model")


def test_tells_which_words_speak_for_a_cause():
    texts, causes = reviews(200)
    marks = [mark for mark, _ in CauseModel(folds=2).fit(texts, None, causes).telling("part", 40)]
    assert "falto" in marks and "adore" not in marks


def test_odd_texts_get_an_answer():
    texts, causes = reviews(100)
    model = CauseModel(folds=2).fit(texts, None, causes)
    odd = ["", None, "a", "😀😀", "x" * 100_000, "<b>faltou</b> 한국어 ありがとう\x00"]
    assert model.predict(odd)["cause"].null_count() == 0
    assert model.predict([]).height == 0


@pytest.mark.parametrize(
    ("texts", "facts", "causes", "classes", "error", "words"),
    [
        (["a", "b"], None, ["x"], None, UsageError, "2 texts, 1 causes"),
        (["a", "b"], pl.DataFrame({"n": [1]}), ["x", "y"], None, UsageError, "1 rows of facts"),
        (["a", "b"], None, ["x", None], None, DataError, "two or more"),
        (["a b", "a b"], None, ["x", "y"], {"x": "z"}, DataError, "'y' has no class"),
    ],
)
def test_wrong_input_is_one_sentence(texts, facts, causes, classes, error, words):
    with pytest.raises(error, match=words):
        CauseModel().fit(texts, facts, causes, classes)
    with pytest.raises(UsageError, match="not fitted"):
        CauseModel().predict(["a"])


def test_a_lost_fact_is_named():
    texts, causes = reviews(60)
    model = CauseModel(folds=2).fit(texts, pl.DataFrame({"items": range(60)}), causes)
    with pytest.raises(DataError, match="'items'"):
        model.predict(["a"], pl.DataFrame({"other": [1]}))
    with pytest.raises(DataError, match="neither a number nor a text"):
        CauseModel().fit(texts, pl.DataFrame({"when": [[1]] * 60}), causes)


def test_ridge_solves_the_weighted_normal_equations():
    rng = np.random.default_rng(0)
    rows, targets, often = rng.normal(size=(40, 7)), rng.normal(size=(40, 3)), rng.uniform(0.1, 5, 40)
    found = ridge(csr_matrix(rows), targets, often, 0.5)
    exact = np.linalg.solve(rows.T @ (often[:, None] * rows) + 0.5 * np.eye(7), rows.T @ (often[:, None] * targets))
    assert np.allclose(found, exact, atol=1e-3)


def test_a_number_is_shared_between_its_knots():
    space = FactSpace.fit(pl.DataFrame({"n": [0.0, 10.0, None], "same": [1, 1, 1]}), bins=5)
    found = space.encode(pl.DataFrame({"n": [2.5, 99.0, None], "same": [1, 2, 3]}), 3).toarray()
    assert np.allclose(found, [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]])


def test_delivery_facts_are_days():
    times = pl.Series(["2020-01-10 12:00", "2020-01-05 00:00", None, "2020-01-12 00:00"]).str.to_datetime()
    promised, delivered, reviewed = times[[0, 0]], times[[1, 2]], times[[3, 3]]
    found = delivery_facts(promised, delivered, reviewed)
    assert found.rows() == [(-5.5, 7.0, 1.5), (None, None, 1.5)]


def test_what_came_after_the_review_is_not_known_to_it():
    times = pl.Series(
        ["2020-01-10 12:00", "2020-01-12 09:00", "2020-01-12 18:00", "2020-01-13 01:00"]
    ).str.to_datetime()
    promised, delivered, reviewed = times[[0, 0, 0]], times[[1, 2, 3]], times[[1, 1, 1]]
    found = delivery_facts(promised, delivered, reviewed, pl.Series(["delivered", "delivered", "delivered"]))
    assert found["days_late"].to_list() == [1.875, 2.25, None]
    assert found["status"].to_list() == ["delivered", "delivered", "under way"]


def test_spelling_is_forgiven_only_in_latin_letters():
    assert plain("ÓTIMO!!! chegouuuu 12/05") == "otimo!!! chegouu 00/00"
    assert plain("배송이 늦어요 が") == "배송이 늦어요 が"
    assert word_marks("nao chegaram hoje", 5, 2).split() == [
        "nao", "chega", "hoje", "nao+chega", "chega+hoje", "nao+chega+hoje", "nao~hoje"
    ]  # fmt: skip
