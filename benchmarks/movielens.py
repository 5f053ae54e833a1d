"""Films on MovieLens 100K: words, posters, past ratings and people together, for cold films and for warm ones.

``/cold``: films with sha256(movie_id) mod 5 = 0 are unseen in training; all 337 are ranked for each person, relevant is
what the person rated 4 or 5, and people without such a film are left out (931 remain). Six of the cold films stand in
training under another id (224 of the 9,806 relevant pairs): the data set lists them twice. ``/warm``: trained on the
rows before a day, the films rated by then and not by the person are ranked, relevant is what the person rated 4 or 5
from that day on; people with rows before it (``/warm``) and without (``/newcomer``); three days, pooled.

What a modality is. Text: what a film's page says (title, year, genres, plot, director, actors, language, country,
release). Image: the poster. Behaviour: the person's own past ratings. People: age, gender, occupation. Who liked which
training film is always there to learn from: that is the label. So text alone ranks the films for everybody alike, by
appeal predicted from text. Behaviour and people alone do not tell one cold film from another: their order is random,
and its expected value is exact. Every subset is a model of its own, its weights learnt without the others. The profile
that many mean by text alone (``tfidf-profile``: TF-IDF of what the person rated) is text and behaviour, and is a peer.

Chosen on training films only (``--validate``): fields, weights, kernels and ridges by nDCG@10 of the films with the
residues 1 to 4, each cold in turn, and of two more such partitions of these films; so were the profile's stop words,
terms and weights (of 64) and the mapped factors (of 20). LightGBM's trees: of 5, on residue 1.

For warm films only a part was chosen on rows before 1998, with three days in November and December 1997: what our model
has of its own (the peer EASE: its ridge of 2; the other peers have one setting). The test days are in 1998. Fields,
``facts``, ``joined_ridge``, ``itself`` and our EASE's ``ridge`` come from the cold validation, which reads all ratings
of the residues 1 to 4, those of the test days among them. Ours was looked at twice on the test rows; nothing was chosen
by that.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from danggol.metrics import bootstrap_rows, mean_of_weights, modality_shares, ndcg_at, subsets
from danggol.purchase.baselines import ease, gram
from danggol.purchase.coldstart import ColdItemModel, ColdSettings
from danggol.purchase.coldstart.content import Field
from danggol.purchase.coldstart.known import KnownItemModel, KnownSettings
from danggol.purchase.coldstart.parts import MODALITIES

DATA = Path("../shared/data/purchase/movielens_100k")
FIELDS = (
    Field(column="director", kind="names", group="cast"),
    Field(column="actors", kind="names", group="cast", weight=1.6),
    Field(column="genres", kind="names", group="genre", weight=0.5),
    Field(column="year", kind="number", group="genre", weight=0.3, width=8),
    Field(column="plot", kind="words", group="words", weight=1.2),
    Field(column="name", kind="words", group="words", weight=0.5),
    Field(column="language", kind="names", group="origin", weight=0.5),
    Field(column="country", kind="names", group="origin", weight=0.2),
    Field(column="year", kind="number", group="origin", weight=0.3, width=2),
    Field(column="released", kind="number", group="origin", weight=0.12, width=0.5),
    Field(column="poster", kind="picture"),
)
TEXTS = ["title", "genres", "plot", "director", "actors"]
TOP, LIKED = 10, 4
TEST_DAYS = ("1998-01-01", "1998-02-01", "1998-03-01")
VALIDATION_DAYS, VALIDATION_END = ("1997-11-01", "1997-11-15", "1997-12-01"), "1998-01-01"
Values = NDArray[np.float64]
Scores = NDArray[np.floating[Any]]


class Films:
    """The data set: rows, films, people, and who liked what."""

    def __init__(self, data: Path) -> None:
        raw = np.loadtxt(data / "u.data.gz", dtype=np.int64)
        items = pl.read_parquet(data / "movies.parquet")
        day = pl.col("release_date").str.to_date("%d-%b-%Y", strict=False)
        self.items = items.with_columns(
            product_id=pl.col("movie_id").cast(pl.String),
            year=pl.col("title").str.extract(r"\((\d{4})\)").cast(pl.Float32),
            name=pl.col("title").str.replace(r"\s*\(\d{4}\)", ""),
            released=(day - dt.date(1990, 1, 1)).dt.total_days() / 365.25,
        )
        names = ["customer_id", "age", "gender", "occupation", "zip"]
        people = pl.read_csv(data / "u.user", separator="|", has_header=False, new_columns=names)
        self.people = people.drop("zip").with_columns(pl.col("customer_id").cast(pl.String))
        self.customers, self.films = self.people["customer_id"], self.items["product_id"]
        film = {one: nth for nth, one in enumerate(items["movie_id"].to_list())}
        person = {int(one): nth for nth, one in enumerate(self.customers.to_list())}
        self.person = np.array([person[one] for one in raw[:, 0]])
        self.film = np.array([film[one] for one in raw[:, 1]])
        self.rating, self.second = raw[:, 2], raw[:, 3]
        self.residue = np.array([int(hashlib.sha256(str(one).encode()).hexdigest(), 16) % 5 for one in film])
        self.rows = pl.DataFrame(
            {
                "customer_id": self.customers.gather(self.person),
                "product_id": self.films.gather(self.film),
                "ts": pl.from_epoch(pl.Series(self.second), "s"),
                "liked": self.rating >= LIKED,
            }
        )

    def matrix(self, chosen: NDArray[np.bool_], values: Scores | None = None) -> sp.csr_matrix:
        """(people, films) of the chosen rows, 1 or a value each."""
        held = (np.ones(len(chosen)) if values is None else values)[chosen].astype(np.float32)
        shape = (len(self.customers), len(self.films))
        return sp.csr_matrix((held, (self.person[chosen], self.film[chosen])), shape=shape)


def ndcg(scores: Scores, relevant: NDArray[np.bool_]) -> Values:
    """nDCG@10 of each person, nan without a relevant film; equal scores in a drawn order."""
    # ties go by a drawn order: a film's number tells how popular it is
    drawn = np.random.default_rng(0).permutation(scores.shape[1])
    first = drawn[np.argsort(-scores[:, drawn], axis=1, kind="stable")[:, :TOP]]
    return ndcg_at(np.take_along_axis(relevant, first, axis=1), relevant.sum(axis=1), TOP)


def by_chance(relevant: NDArray[np.bool_]) -> Values:
    """The expected nDCG@10 of a random order: each place holds a relevant film as often as films are relevant."""
    count = relevant.sum(axis=1)
    gain = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, TOP + 2)))])
    ideal = gain[np.minimum(count, TOP)]
    return np.where(count > 0, count / relevant.shape[1] * gain[TOP] / np.where(ideal > 0, ideal, 1), np.nan)


class Cold:
    """One part of the films unseen, the others of the training parts seen."""

    def __init__(self, data: Films, residue: int) -> None:
        self.data, self.new = data, data.residue == residue
        self.old = ~self.new & ((residue == 0) | (data.residue != 0))
        self.seen = self.old[data.film]
        liked = data.matrix(data.rating >= LIKED).toarray() > 0
        self.relevant, self.liked = liked[:, self.new], liked[:, self.old].astype(np.float32)

    def ours(self) -> tuple[dict[frozenset[str], Values], dict[str, float], list[float]]:
        """nDCG@10 of every subset of the modalities, the weights of the whole, and seconds (fit, predict)."""
        began = time.perf_counter()
        old, new = (self.data.items.filter(pl.Series(chosen)) for chosen in (self.old, self.new))
        model = ColdItemModel(ColdSettings(fields=FIELDS))
        model.fit(self.data.rows.filter(pl.Series(self.seen)), old, self.data.people)
        fitted = time.perf_counter()
        whole = ndcg(model.score(new, self.data.customers), self.relevant)
        seconds = [fitted - began, time.perf_counter() - fitted]
        found = dict.fromkeys(subsets(MODALITIES), by_chance(self.relevant))
        for part in found:
            if part & {"text", "image"}:
                found[part] = ndcg(model.with_only(part).score(new, self.data.customers), self.relevant)
        return {**found, frozenset(MODALITIES): whole}, model.weights, seconds

    def peers(self) -> dict[str, Values]:
        """The other models, and as an oracle the films' true likes."""
        graded = self.data.matrix(self.seen, np.where(self.data.rating > 0, self.data.rating - 2.5, 0))[:, self.old]
        liked = sp.csr_matrix(self.liked)
        found = {
            "genres-profile": self._profile(liked, ["genres"]),
            "tfidf-profile": self._profile(graded, TEXTS),
            "als-mapped": self._mapped(liked),
            "lightgbm-content": self._trees(liked),
            "oracle-popularity": np.tile(self.relevant.sum(axis=0), (len(self.relevant), 1)),
        }
        return {"random": by_chance(self.relevant), **{name: ndcg(one, self.relevant) for name, one in found.items()}}

    def words(self, columns: list[str], known: NDArray[np.bool_]) -> sp.csr_matrix:
        """TF-IDF (films, words), learnt from known films."""
        text = self.data.items.select(pl.concat_str(columns, separator=" ", ignore_nulls=True)).to_series()
        texts = np.array(text.str.replace_all("|", " ", literal=True))
        return TfidfVectorizer(stop_words="english", sublinear_tf=True).fit(texts[known]).transform(texts).tocsr()

    def _profile(self, rows: sp.csr_matrix, columns: list[str]) -> Scores:
        """Cosine-like: the sum of likenesses to what the person rated, weighed by the rating."""
        words = self.words(columns, self.old)
        return (rows @ words[self.old] @ words[self.new].T).toarray()

    def _mapped(self, liked: sp.csr_matrix) -> Scores:
        """ALS factors of the known films, for new ones by ridge regression on TF-IDF (Gantner et al. 2010)."""
        left, right = als(liked, 32, 10.0, 5.0)
        words = self.words(TEXTS, self.old)
        alike = (words[self.old] @ words[self.old].T).toarray() + 1.0 * np.eye(int(self.old.sum()))
        weights = np.linalg.solve(alike, right - right.mean(axis=0))
        return left @ (right.mean(axis=0) + words[self.new] @ words[self.old].T @ weights).T

    def _trees(self, liked: sp.csr_matrix) -> Scores:
        """LambdaRank on content: likenesses to the person's likes by field, the fields' likes, year, genres, person.

        Learns from known films that are held out fold by fold, so that they look as new films do.
        """
        words = [self.words(columns, self.old) for columns in (TEXTS, *([one] for one in TEXTS[1:]))]
        genres = self.data.items["genres"].str.split("|")
        is_one = [genres.list.contains(name).to_numpy() for name in sorted(set(genres.explode().drop_nulls()))]
        own = np.column_stack([self.data.items["year"].fill_null(np.nan), *is_one])
        person = np.column_stack([self.data.people["age"], self.data.people["gender"] == "F"])

        def rows(known: NDArray[np.int64], asked: NDArray[np.int64], past: sp.csr_matrix) -> Scores:
            likes = np.asarray(past.sum(axis=0)).ravel()
            columns = []
            for one in words:
                alike = (one[known] @ one[asked].T).toarray()
                columns += [past @ alike, np.tile(np.log1p(likes) @ alike, (past.shape[0], 1))]
            film = np.broadcast_to(own[asked], (past.shape[0], len(asked), own.shape[1]))
            who = np.broadcast_to(person[:, None], (past.shape[0], len(asked), 2))
            return np.concatenate([np.stack(columns, axis=2), film, who], axis=2).astype(np.float32)

        old, rng = np.flatnonzero(self.old), np.random.default_rng(0)
        fold = rng.permutation(len(old)) % 5
        values, labels, groups = [], [], []
        for nth in range(5):
            found = rows(old[fold != nth], old[fold == nth], liked[:, fold != nth])
            wanted = self.liked[:, fold == nth]
            kept = ((wanted > 0) | (rng.random(wanted.shape) < 0.2)) & wanted.any(axis=1)[:, None]
            values.append(found[kept])
            labels.append(wanted[kept])
            groups.append(kept.sum(axis=1)[kept.any(axis=1)])
        booster = ranker(np.concatenate(values), np.concatenate(labels), np.concatenate(groups), 200)
        asked = rows(old, np.flatnonzero(self.new), liked)
        return booster.predict(asked.reshape(-1, asked.shape[2]), num_threads=2).reshape(self.relevant.shape)


def als(liked: sp.csr_matrix, factors: int, penalty: float, alpha: float) -> tuple[Scores, Scores]:
    """Factors of people and of films."""
    model = AlternatingLeastSquares(
        factors=factors, regularization=penalty, alpha=alpha, iterations=15, random_state=0, num_threads=1
    )
    model.fit(liked, show_progress=False)
    return np.asarray(model.user_factors), np.asarray(model.item_factors)


def ranker(values: Scores, labels: Scores, groups: NDArray[np.int64], rounds: int) -> lgb.Booster:
    """LightGBM's LambdaRank."""
    chosen = {"objective": "lambdarank", "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 200, "seed": 0}
    chosen |= {"feature_fraction": 0.7, "lambdarank_truncation_level": 20, "deterministic": True, "verbose": -1}
    chosen |= {"num_threads": 2, "max_bin": 63}
    return lgb.train(chosen, lgb.Dataset(values, labels, group=groups), rounds)


def second(day: str) -> float:
    """A day's first second since 1970 (UTC)."""
    return dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp()


class Warm:
    """Everything before a day, asked for what is liked from then on (to the end of the rows, or to another day)."""

    def __init__(self, data: Films, day: str, end: str | None = None) -> None:
        self.data, self.day = data, dt.datetime.fromisoformat(day)
        at = [second(one) for one in (day, end or "2000-01-01")]
        self.past = data.second < at[0]
        self.met = data.matrix(self.past)
        later = (data.second >= at[0]) & (data.second < at[1]) & (data.rating >= LIKED)
        self.open = (self.met.toarray() == 0) & (np.asarray(self.met.sum(axis=0)).ravel() > 0)
        self.asked = (data.matrix(later).toarray() > 0) & self.open
        self.known = np.diff(self.met.indptr) > 0

    def measure(self, scores: Scores) -> Values:
        """nDCG@10 of each person, nan without a relevant film."""
        return ndcg(np.where(self.open, scores, -np.inf), self.asked)

    def ours(self, **settings: Any) -> tuple[Values, dict[str, float]]:
        """nDCG@10 of each person and the weights."""
        model = KnownItemModel(KnownSettings(fields=FIELDS, **settings))
        model.fit(self.data.rows, self.data.items, self.data.people, self.day)
        return self.measure(model.score(self.data.customers)), model.weights

    def features(self, before: float) -> dict[str, Scores]:
        """Scores of the peers from the rows before a second."""
        past = self.data.second < before
        liked, met = self.data.matrix(past & (self.data.rating >= LIKED)), self.data.matrix(past)
        late = self.data.matrix(past & (self.data.rating >= LIKED) & (self.data.second >= before - 45 * 86400))
        left, right = als(liked, 32, 20.0, 5.0)
        together = gram(liked)
        length = np.sqrt(np.maximum(np.diag(together), 1.0))
        cosine = (together - np.diag(np.diag(together))) / length[:, None] / length[None, :]
        likes, people = np.asarray(liked.sum(axis=0)), liked.shape[0]
        return {
            "popularity": np.tile(likes, (people, 1)),
            "recent-popularity": np.tile(np.asarray(late.sum(axis=0)) + likes * 1e-4, (people, 1)),
            "itemknn": np.asarray(liked @ cosine),
            "ease": np.asarray(liked @ ease(together, 500.0)),
            "als": left @ right.T,
            "share": np.tile(likes / np.maximum(np.asarray(met.sum(axis=0)), 1), (people, 1)),
            "rows": np.tile(np.asarray(met.sum(axis=1)), (1, liked.shape[1])),
        }

    def peers(self) -> dict[str, Values]:
        """The other models; LambdaRank reads all their scores and learns from the two months before the day."""
        found = self.features(second(self.day.isoformat()))
        values, labels, groups = [], [], []
        for nth in (1, 2):
            days = [str(self.day.date() - dt.timedelta(days=30 * back)) for back in (nth, nth - 1)]
            before = Warm(self.data, *days)
            some = before.open & before.asked.any(axis=1)[:, None]
            values.append(np.stack(list(before.features(second(days[0])).values()), axis=2)[some])
            labels.append(before.asked[some].astype(np.float32))
            groups.append(some.sum(axis=1)[some.any(axis=1)])
        booster = ranker(np.concatenate(values), np.concatenate(labels), np.concatenate(groups), 60)
        values = np.stack(list(found.values()), axis=2)
        ranked = booster.predict(values.reshape(-1, values.shape[2]), num_threads=2)
        found["lambdarank"] = ranked.reshape(self.open.shape)
        return {name: self.measure(one) for name, one in found.items() if name not in {"share", "rows"}}


class Table:
    """Values of each model by person, over several parts one under another."""

    def __init__(self, parts: Sequence[Mapping[str, Values]]) -> None:
        self.values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.person = np.concatenate([np.arange(len(next(iter(part.values())))) for part in parts])

    def mean(self, name: str) -> float:
        """Mean over people who have a relevant film."""
        return round(float(np.nanmean(self.values[name])), 4)

    def difference(self, first: str, second: str) -> list[float]:
        """Mean difference and its 95% paired bootstrap interval over people."""
        apart = mean_of_weights(self.values[first] - self.values[second])
        found = bootstrap_rows(apart, self.person)
        return [round(one, 4) for one in (found.value, found.low, found.high)]

    def show(self, title: str, ours: str) -> None:
        """Print the means, best first, and ours minus each with its interval."""
        print(f"\n{title}: nDCG@10, {np.isfinite(self.values[ours]).sum()} people; ours minus it, 95% by person")
        for name in sorted(self.values, key=self.mean, reverse=True):
            told = "" if name == ours else "{:+.4f} [{:+.4f}, {:+.4f}]".format(*self.difference(ours, name))
            print(f"  {name:<36}{self.mean(name):8.4f}   {told}")


def named(part: frozenset[str]) -> str:
    """A subset of the modalities as a model's name."""
    if part == set(MODALITIES):
        return "danggol"
    return "danggol-" + ("+".join(one for one in MODALITIES if one in part) or "nothing")


def run_cold(data: Films, residues: Sequence[int]) -> tuple[Table, dict[str, Any]]:
    """Fit and measure on each part of the films, print, and give the shares with intervals and the seconds."""
    parts, seconds = [], np.zeros(2)
    for residue in residues:
        cold = Cold(data, residue)
        found, weights, took = cold.ours()
        parts.append({**{named(part): value for part, value in found.items()}, **cold.peers()})
        seconds += took
    table = Table(parts)
    table.show("cold films", "danggol")
    print("weights: " + ", ".join(f"{name} {one:.2f}" for name, one in weights.items()))
    worth = {part: mean_of_weights(table.values[named(part)]) for part in subsets(MODALITIES)}
    shares = modality_shares(worth, table.person, draws=1000)
    print(f"\nShapley shares of nDCG@10, {shares.joined.value:.4f} above a random order, 95% by person")
    told: dict[str, dict[str, list[float]]] = {name: {} for name in MODALITIES}
    for name, (kind, each) in product(MODALITIES, (("share", shares.share), ("without", shares.without))):
        one = each[name]
        told[name][kind] = [round(n, 4) for n in (one.value, one.low, one.high)]
        print(f"  {name:<10}{kind:<8} {one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]")
    return table, {"shares": told, "seconds": {"fit": round(seconds[0], 1), "predict": round(seconds[1], 1)}}


def run_warm(data: Films, days: Sequence[str], end: str | None) -> dict[str, Table]:
    """Fit and measure on each day, people with and without past apart, and print."""
    parts: dict[str, list[dict[str, Values]]] = {"warm": [], "newcomer": []}
    for day in days:
        warm = Warm(data, day, end)
        whole, weights = warm.ours()
        bare, _ = warm.ours(only=("behaviour", "people"))
        found = {"danggol": whole, "danggol-without-content": bare, **warm.peers()}
        parts["warm"].append({name: np.where(warm.known, one, np.nan) for name, one in found.items()})
        parts["newcomer"].append({name: np.where(warm.known, np.nan, one) for name, one in found.items()})
    tables = {name: Table(one) for name, one in parts.items()}
    tables["warm"].show(f"warm films, people with a past, from {', '.join(days)}", "danggol")
    print("weights: " + ", ".join(f"{name} {one:.2f}" for name, one in weights.items()))
    tables["newcomer"].show("warm films, people without a past", "danggol")
    return tables


def main() -> None:
    """Measure, print the tables and the line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with u.data.gz, u.user, movies.parquet")
    parser.add_argument("--validate", action="store_true", help="measure on what was chosen on; test rows unseen")
    parser.add_argument("--part", choices=("cold", "warm"), help="only this part")
    given = parser.parse_args()
    began, data = time.perf_counter(), Films(given.data)
    tables: dict[str, Table] = {}
    told: dict[str, Any] = {}
    if given.part != "warm":
        tables["cold"], told = run_cold(data, (1, 2, 3, 4) if given.validate else (0,))
    if given.part != "cold":
        tables |= run_warm(data, *((VALIDATION_DAYS, VALIDATION_END) if given.validate else (TEST_DAYS, None)))
    means: dict[str, dict[str, float]] = {}
    differences: dict[str, dict[str, list[float]]] = {}
    for part, table in tables.items():
        for name in table.values:
            means.setdefault(name, {})[f"ndcg@10/{part}"] = table.mean(name)
            differences.setdefault(name, {})[f"ndcg@10/{part}"] = table.difference("danggol", name)
    line = {"benchmark": "movielens", "rows": data.rows.height, "split": "validation" if given.validate else "test"}
    del differences["danggol"]
    line |= {"ours": means.pop("danggol"), "peers": means, "differences": differences, **told}
    line["seconds"] = {**told.get("seconds", {}), "all": round(time.perf_counter() - began, 1)}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
