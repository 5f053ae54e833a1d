"""What a review says of the product, recommended or how many stars, from its text, features and picture.

Each modality has its own expert: linear models on n-grams for the text, boosted trees for the features, a network over
regions for the picture. They score rows that they were not trained on, fold by fold, and stacks join the scores
(:mod:`danggol.purchase.opinion.stack`), one for each set of modalities that a row can have: a review without title,
text or picture is scored from what is there. Then the linear models and the trees are trained again on all rows; the
picture networks of the folds are kept and averaged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from scipy.special import expit

from danggol.encoders.features import FeatureSpace
from danggol.errors import DataError, UsageError
from danggol.metrics import Shares, auc_of_weights, mean_of_weights, modality_shares, subsets
from danggol.progress import track
from danggol.purchase import artefact
from danggol.purchase.opinion.features import rounds_of, train_trees, tree_values
from danggol.purchase.opinion.inputs import MODALITIES, Opinions, opinions_of
from danggol.purchase.opinion.settings import OpinionSettings
from danggol.purchase.opinion.stack import Stacks
from danggol.purchase.opinion.text import TextExpert, TextRows, TextVocabulary
from danggol.version import __version__

if TYPE_CHECKING:
    from danggol.purchase.opinion.picture import PictureNetwork
    from danggol.shop import Shop

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
_LEAST = 10
"""Rows of each outcome, or rows in all, that a fold needs."""


class OpinionModel:
    """Predicts an outcome or a rating from reviews; settings by keyword, see :class:`OpinionSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = OpinionSettings.of(settings)
        self.stacks: Stacks | None = None
        self.vocabulary: TextVocabulary | None = None
        self.text: TextExpert | None = None
        self.space: FeatureSpace | None = None
        self.trees: lgb.Booster | None = None
        self.networks: list[PictureNetwork] = []
        self.stars = (0.0, 1.0)

    def fit(self, shop: Shop) -> Self:
        """Learn from the shop's reviews with a rating: the stars, or as outcome whether they are four or more."""
        data, keys = opinions_of(shop)
        rows = np.flatnonzero(keys["rating"].is_not_null().to_numpy())
        stars = keys["rating"].to_numpy()[rows]
        return self.learn(data.rows(rows), stars if self.settings.target == "rating" else stars >= 4)

    def learn(self, data: Opinions, label: ArrayLike) -> Self:
        """Learn from reviews and an outcome (0 or 1) or a number of stars (rows,).

        A modality that too few rows have is left out. DataError: a label is missing, there are too few rows of an
        outcome, or no modality is left.
        """
        target = self._checked(data, np.asarray(label, np.float64))
        settings, there = self.settings, self._enough(data.there(), target)
        fold = _folds_of(target, settings)
        self.vocabulary = self.text = self.space = self.trees = None
        self.networks = []
        parts: dict[str, Floats] = {}
        if "text" in there:
            try:
                parts |= self._learn_text(data, target, fold, there["text"])
            except DataError:
                # texts that share no n-gram; what else there is may do
                if len(there) == 1:
                    raise
                del there["text"]
        if "features" in there:
            parts |= self._learn_features(data, target, fold)
        if "picture" in there:
            parts |= self._learn_pictures(data, target, fold, there["picture"])
        self.stars = (float(target.min()), float(target.max()))
        self.stacks = Stacks.fit(parts, there, target, settings.target, settings.sure)
        return self

    def _enough(self, there: dict[str, NDArray[np.bool_]], target: Floats) -> dict[str, NDArray[np.bool_]]:
        """The modalities whose rows hold enough of each outcome for the folds, or enough stars that differ."""
        least, kept = _LEAST * self.settings.folds, {}
        for name, rows in there.items():
            held = target[rows]
            count = len(held)
            if self.settings.target == "outcome":
                yes = int(held.sum())
                count = min(yes, len(held) - yes)
            if count >= least and held.min() < held.max():
                kept[name] = rows
        if not kept:
            raise DataError(
                f"too few reviews have {' or '.join(there)}; learning from one of them needs {least}"
                + (" of each outcome" if self.settings.target == "outcome" else " with stars that differ")
            )
        return kept

    def _checked(self, data: Opinions, target: Floats) -> Floats:
        if target.shape != (len(data),):
            raise UsageError(f"{len(data)} reviews and labels of shape {target.shape}: there must be one of each")
        if not np.isfinite(target).all():
            raise DataError(f"{int((~np.isfinite(target)).sum())} reviews have no label; leave them out")
        least = _LEAST * self.settings.folds
        if self.settings.target == "outcome":
            if not np.isin(target, (0, 1)).all():
                raise DataError("an outcome is 0 or 1; for stars say target='rating'")
            yes = int(target.sum())
            if min(yes, len(target) - yes) < least:
                raise DataError(f"{yes} of {len(target)} outcomes are yes; learning needs {least} of each kind")
        elif len(target) < least or target.min() == target.max():
            raise DataError(f"{len(target)} ratings, too few or all the same; learning needs {least} that differ")
        if not data.there():
            raise DataError("there is no text, no feature and no picture to learn from")
        return target

    def _learn_text(self, data: Opinions, label: Floats, fold: Rows, there: NDArray[np.bool_]) -> dict[str, Floats]:
        # the n-grams are counted over all rows: they know no label
        self.vocabulary, matrices = TextVocabulary.learn(data, self.settings)
        found: dict[str, Floats] = {}
        for nth in track(range(self.settings.folds), "text"):
            out, rest = np.flatnonzero((fold == nth) & there), np.flatnonzero((fold != nth) & there)
            expert = TextExpert.fit(_some(matrices, rest), label[rest], self.settings)
            for name, said in expert.parts(_some(matrices, out)).items():
                found.setdefault(f"text/{name}", np.zeros(len(label)))[out] = said
        every = np.flatnonzero(there)
        self.text = TextExpert.fit(_some(matrices, every), label[every], self.settings)
        return found

    def _learn_features(self, data: Opinions, label: Floats, fold: Rows) -> dict[str, Floats]:
        self.space = FeatureSpace.fit(data.features)
        rows = self.space.encode(data.features)
        rounds, said = [], np.zeros(len(label))
        for nth in track(range(self.settings.folds), "features"):
            out, rest = fold == nth, fold != nth
            rounds.append(rounds_of(rows.rows(rest), label[rest], self.settings))
            booster = train_trees(rows.rows(rest), label[rest], rounds[-1], self.settings)
            said[out] = tree_values(booster, rows.rows(out))
        self.trees = train_trees(rows, label, round(float(np.mean(rounds))), self.settings)
        return {"features/trees": said}

    def _learn_pictures(self, data: Opinions, label: Floats, fold: Rows, there: NDArray[np.bool_]) -> dict[str, Floats]:
        from danggol.purchase.opinion.picture import train_picture

        assert data.regions is not None
        said = np.zeros(len(label))
        for nth in track(range(self.settings.folds), "pictures"):
            out, rest = np.flatnonzero((fold == nth) & there), np.flatnonzero((fold != nth) & there)
            self.networks.append(train_picture(data.regions[rest], label[rest], self.settings, nth))
            said[out] = self.networks[-1].values(data.regions[out])
        return {"picture/network": said}

    def predict(self, data: Opinions, use: Sequence[str] = MODALITIES) -> Floats:
        """Probability of the outcome, or stars, (rows,), from the modalities in ``use``, or what a row has of them."""
        values = self.values(data, use)
        return np.asarray(expit(values) if self.settings.target == "outcome" else np.clip(values, *self.stars))

    def values(self, data: Opinions, use: Sequence[str] = MODALITIES) -> Floats:
        """Log odds of the outcome, or stars without bounds, (rows,)."""
        there = self._there(data, use)
        return self._fitted().values(self.parts(data), there, len(data))

    def parts(self, data: Opinions) -> dict[str, Floats]:
        """What each expert says (rows,) by ``modality/member``; 0 where a row lacks the modality."""
        there, count = self._there(data, MODALITIES), len(data)
        found: dict[str, Floats] = {}
        if self.text is not None and self.vocabulary is not None and there["text"].any():
            found |= {f"text/{name}": said for name, said in self.text.parts(self.vocabulary.encode(data)).items()}
        if self.trees is not None and self.space is not None and there["features"].any():
            found["features/trees"] = tree_values(self.trees, self.space.encode(data.features))
        if self.networks and data.regions is not None and there["picture"].any():
            rows = np.flatnonzero(there["picture"])
            said = np.zeros(count)
            said[rows] = np.mean([network.values(data.regions[rows]) for network in self.networks], axis=0)
            found["picture/network"] = said
        return found

    def explain(self, data: Opinions) -> pl.DataFrame:
        """Row by row what each modality adds to ``base``: log odds, or stars; ``whole`` is their sum."""
        there = self._there(data, MODALITIES)
        found = self._fitted().contributions(self.parts(data), there, len(data))
        return pl.DataFrame(found).with_columns(whole=pl.sum_horizontal(list(found)))

    def words(self, top: int = 20) -> pl.DataFrame:
        """The words that push up and down the most over all texts of training, the strongest up first.

        ngram, where (review or title), texts (in how many it was), push (log odds or stars of a text that holds nothing
        else). A word counts for more where it is in more texts: the order is by push times the root of texts.
        """
        words = self._pushes().filter(pl.col("where") != "letters")
        return _ends(words.sort(pl.col("push") * pl.col("texts").sqrt()), top)

    def words_of(self, data: Opinions, row: int, top: int = 10) -> pl.DataFrame:
        """The words of one review that push up and down the most: word, push, the strongest up first.

        The push is how much lower the log odds, or stars, would be were the word not there, wherever it stands.
        """
        one = data.rows(np.array([row]))
        texts = [text.split() if text else [] for text in (one.title[0], one.body[0])]
        words = list(dict.fromkeys(word for text in texts for word in text))
        less = [[" ".join(other for other in text if other != word) or None for word in words] for text in texts]
        rest = one.rows(np.zeros(len(words), np.int64))
        without = self.values(Opinions(less[0], less[1], rest.features, rest.regions))
        return _ends(pl.DataFrame({"word": words, "push": self.values(one)[0] - without}).sort("push"), top)

    def _pushes(self) -> pl.DataFrame:
        stack = self._fitted()
        if self.text is None or self.vocabulary is None:
            raise UsageError("the model was trained without text; it knows no words")
        whole = max((some for some in stack.held if "text" in some), key=len)
        shares = {name.split("/")[1]: weight for name, weight in stack.held[whole].weights.items()}
        weights = self.text.weights(shares)
        frames = [
            names.with_columns(push=pl.Series(weights[name].astype(np.float64)))
            for name, names in self.vocabulary.names().items()
        ]
        return pl.concat(frames)

    def shares(self, data: Opinions, label: ArrayLike, draws: int = 200, seed: int = 0) -> Shares:
        """What each modality is worth on rows that were not learnt from: Shapley shares of the AUC.

        Of stars: of the squared error, as far as it is below that of the mean (so that more is better).
        """
        target = np.asarray(label, np.float64)
        names = tuple(self._there(data, MODALITIES))
        worth = {}
        for some in subsets(names):
            found = self.values(data, tuple(some))
            if self.settings.target == "outcome":
                worth[some] = auc_of_weights(found, target)
            else:
                worth[some] = mean_of_weights(-((np.clip(found, *self.stars) - target) ** 2))
        return modality_shares(worth, np.arange(len(target)), draws, seed)

    def _there(self, data: Opinions, use: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
        """Which rows have which of the modalities that were learnt and are to be used."""
        unknown = [name for name in use if name not in MODALITIES]
        if unknown:
            raise UsageError(f"there is no modality {unknown[0]!r}; there are {', '.join(MODALITIES)}")
        learnt = {next(iter(some)) for some in self._fitted().held if len(some) == 1}
        there = data.there()
        nothing = np.zeros(len(data), np.bool_)
        return {name: there.get(name, nothing) for name in MODALITIES if name in use and name in learnt}

    def _fitted(self) -> Stacks:
        if self.stacks is None:
            raise UsageError("the opinion model is not fitted; call fit(shop) or learn(data, label) first")
        return self.stacks

    def save(self, folder: str | Path) -> Path:
        """Save to a folder as plain files: JSON, LightGBM's text, safetensors."""
        stacks = self._fitted()
        config = {
            "capability": "purchase",
            "model": "opinion",
            "format": artefact.FORMAT,
            "package_version": __version__,
            "settings": self.settings.model_dump(),
            "stars": self.stars,
            "networks": len(self.networks),
        }
        files: dict[str, str | bytes] = {"stacks.json": json.dumps(stacks.to_list(), indent=1)}
        if self.text is not None and self.vocabulary is not None:
            files |= {"ngrams.json": self.vocabulary.to_json(), "text.safetensors": self.text.to_bytes()}
        if self.trees is not None and self.space is not None:
            files["features.json"] = json.dumps(self.space.to_dict(), ensure_ascii=False)
            files["trees.txt"] = self.trees.model_to_string()
        if self.networks:
            from safetensors.torch import save

            files |= {f"picture_{nth}.safetensors": save(one.state_dict()) for nth, one in enumerate(self.networks)}
        files[artefact.CONFIG] = json.dumps(config, indent=1, ensure_ascii=False)
        artefact.publish(Path(folder), files)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved model; DataError where it is broken or of a newer format, UsageError where there is none."""
        source = artefact.locate(Path(folder))
        config = artefact.read_config(source, "opinion")
        try:
            model = cls(**config["settings"])
            model.stars = (float(config["stars"][0]), float(config["stars"][1]))
            model.stacks = Stacks.from_list(json.loads(artefact.read_text(source, "stacks.json")))
            model._load_experts(source, config["networks"])
        except (KeyError, TypeError, ValueError, OSError, SafetensorError, lgb.basic.LightGBMError) as error:
            raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
        return model

    def _load_experts(self, source: Path, networks: int) -> None:
        if (source / "ngrams.json").exists():
            self.vocabulary = TextVocabulary.from_json(artefact.read_text(source, "ngrams.json"))
            self.text = TextExpert.from_bytes((source / "text.safetensors").read_bytes())
        if (source / "features.json").exists():
            self.space = FeatureSpace.from_dict(json.loads(artefact.read_text(source, "features.json")))
            self.trees = lgb.Booster(model_str=artefact.read_text(source, "trees.txt"))
        if networks:
            from danggol.purchase.opinion.picture import picture_of

            files = [source / f"picture_{nth}.safetensors" for nth in range(networks)]
            self.networks = [picture_of(file.read_bytes(), self.settings) for file in files]


def _some(matrices: TextRows, rows: Rows) -> TextRows:
    return {name: one[rows] for name, one in matrices.items()}


def _folds_of(label: Floats, settings: OpinionSettings) -> Rows:
    """A fold (rows,) for each row; the values of the label are spread evenly over the folds."""
    draw = np.random.default_rng([settings.seed, len(label)])
    order = np.lexsort((draw.random(len(label)), label))
    fold = np.empty(len(label), np.int64)
    fold[order] = np.arange(len(label)) % settings.folds
    return fold


def _ends(pushes: pl.DataFrame, top: int) -> pl.DataFrame:
    """The first and the last rows of what is sorted by push, the strongest up first."""
    if pushes.height > 2 * top:
        pushes = pl.concat([pushes.head(top), pushes.tail(top)])
    return pushes.reverse()
