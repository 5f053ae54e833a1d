"""The boosted part: LightGBM on every column that is a number or a code, whatever modality it needs.

Beside the boosters that see everything there is one for each modality that never had it, which answers when that one is
hidden, and one that learnt with modalities hidden at random, for when several are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from danggol.purchase.multimodal.inputs import Inputs, Ints
from danggol.purchase.multimodal.showings import BEHAVIOUR, CUSTOMER, OFFER, Array
from danggol.purchase.multimodal.tastes import Taste
from danggol.settings import Settings

Floats = NDArray[np.float64]
MODALITIES = ("text", "image", "offer", "behaviour", "customer")
"""What the columns need. Events of people are behaviour."""


class TreeSettings(Settings):
    """Settings of the boosted part."""

    rounds: int = Field(default=600, ge=1, description="trees of a booster, at most")
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    leaves: int = Field(default=15, ge=2, le=1024, description="leaves of a tree, at most")
    least_rows: int = Field(default=60, ge=1, description="rows of a leaf, at least")
    columns: float = Field(default=0.35, gt=0, le=1, description="share of the columns that a tree sees")
    bags: int = Field(default=2, ge=1, le=20, description="boosters that are averaged")


@dataclass(frozen=True)
class Columns:
    """Rows as numbers, nan where missing; what each column is called and which modalities it needs."""

    values: Array
    names: tuple[str, ...]
    needs: tuple[frozenset[str], ...]

    def hidden(self, hide: Sequence[str]) -> Columns:
        """The same, with the columns that need a hidden modality left empty."""
        gone = [place for place, need in enumerate(self.needs) if need & set(hide)]
        values = self.values.copy()
        values[:, gone] = np.nan
        return Columns(values, self.names, self.needs)

    def only(self, modalities: frozenset[str]) -> Columns:
        """The columns that need nothing but these modalities."""
        return self.chosen([place for place, need in enumerate(self.needs) if need <= modalities])

    def chosen(self, places: Sequence[int]) -> Columns:
        """Some of the columns."""
        names = tuple(self.names[place] for place in places)
        return Columns(self.values[:, list(places)], names, tuple(self.needs[place] for place in places))

    def rows(self, chosen: NDArray[Any]) -> Columns:
        """Some of the rows, by number or mask."""
        return Columns(self.values[chosen], self.names, self.needs)


def columns(data: Inputs, rows: Ints, effects: Array, plans: Sequence[Taste]) -> Columns:
    """The columns of some rows; ``effects`` (rows, plans) are the tastes at those rows."""
    seen = data.showings
    parts = [seen.offer[rows], seen.behaviour[rows], seen.customer[rows]]
    names = [*OFFER, *BEHAVIOUR, *CUSTOMER]
    groups = (("offer", OFFER), ("behaviour", BEHAVIOUR), ("customer", CUSTOMER))
    needs = [frozenset([modality]) for modality, group in groups for _ in group]
    for modality, kinds in (("text", data.text_kinds), ("image", data.image_kinds)):
        for name, codes in kinds.items():
            parts.append(np.where(codes[rows] > 0, codes[rows], np.nan).astype(np.float32)[:, None])
            names.append(name)
            needs.append(frozenset([modality]))
    parts.append(effects)
    names += [f"taste {taste.name}" for taste in plans]
    needs += [frozenset(taste.needs) for taste in plans]
    return Columns(np.hstack(parts).astype(np.float32), tuple(names), tuple(needs))


class Trees:
    """Averaged boosters over columns; raw scores are log-odds among the rows that were learnt from."""

    def __init__(self, boosters: Mapping[str, Sequence[lgb.Booster]], names: Sequence[str]) -> None:
        self.boosters = {which: list(held) for which, held in boosters.items()}
        self.names = tuple(names)

    @classmethod
    def learn(
        cls,
        table: Columns,
        label: NDArray[np.bool_],
        settings: TreeSettings,
        judged: tuple[Columns, NDArray[np.bool_]] | None = None,
        seed: int = 0,
        robust: bool = True,
        start: Trees | None = None,
    ) -> Self:
        """Learn, going on from the boosters of ``start`` where they are given.

        The number of trees is chosen on ``judged`` rows where there are some. ``robust``: also those that answer where
        modalities are hidden.
        """

        def bagged(
            which: str, some: Columns, with_settings: TreeSettings, held: tuple[Columns, NDArray[np.bool_]] | None
        ) -> list[lgb.Booster]:
            before = start.boosters.get(which) if start is not None else None
            return _bagged(some, label, with_settings, held, seed, before)

        boosters = {"whole": bagged("whole", table, settings, judged)}
        if robust:
            one, everything = settings.model_copy(update={"bags": 1}), frozenset().union(*table.needs)
            for name in sorted(everything):
                without = table.only(everything - {name})
                if without.names:
                    boosters[f"without_{name}"] = bagged(f"without_{name}", without, one, None)
            draw = np.random.default_rng([seed, len(label)])
            boosters["robust"] = bagged("robust", _dropped(table, draw), settings, None)
        return cls(boosters, table.names)

    @property
    def rounds(self) -> int:
        """Trees of a booster that sees everything, on average."""
        return round(float(np.mean([one.best_iteration or one.num_trees() for one in self.boosters["whole"]])))

    def log_odds(self, table: Columns, hide: Sequence[str] = ()) -> Floats:
        """Log-odds (rows,); columns that need a modality in ``hide`` are not looked at."""
        gone = frozenset(hide) & frozenset().union(*table.needs)
        if not gone:
            return _mean(self.boosters["whole"], table.values)
        without = f"without_{min(gone)}"
        if len(gone) == 1 and without in self.boosters:
            return _mean(self.boosters[without], table.only(frozenset().union(*table.needs) - gone).values)
        return _mean(self.boosters["robust" if "robust" in self.boosters else "whole"], table.hidden(hide).values)

    def contributions(self, table: Columns) -> Floats:
        """What each column adds to a row's log-odds, and what all rows share, (rows, columns + 1).

        Exact tree Shapley values (Lundberg et al., Nature Machine Intelligence 2, 2020).
        """
        held = self.boosters["whole"]
        total = sum(np.asarray(one.predict(table.values, pred_contrib=True)) for one in held)
        return np.asarray(total / len(held), np.float64)

    def to_files(self) -> dict[str, str]:
        """File name to content."""
        return {
            f"trees-{which}-{nth}.txt": one.model_to_string(num_iteration=one.best_iteration or -1)
            for which, held in self.boosters.items()
            for nth, one in enumerate(held)
        }

    @classmethod
    def of_files(cls, files: Mapping[str, str], names: Sequence[str]) -> Self:
        """From what :meth:`to_files` gave."""
        held: dict[str, list[lgb.Booster]] = {}
        for name in sorted(files):
            held.setdefault(name.split("-")[1], []).append(lgb.Booster(model_str=files[name]))
        return cls(held, names)


def _bagged(
    table: Columns,
    label: NDArray[np.bool_],
    settings: TreeSettings,
    judged: tuple[Columns, NDArray[np.bool_]] | None,
    seed: int,
    before: Sequence[lgb.Booster] | None = None,
) -> list[lgb.Booster]:
    boosters = []
    for nth in range(settings.bags):
        parameters = {
            "objective": "binary",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": min(settings.least_rows, max(5, len(label) // 50)),
            "feature_fraction": settings.columns,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 10.0,
            "seed": seed + nth,
            "verbose": -1,
            "deterministic": True,
            "force_col_wise": True,
        }
        names = [f"c{place}" for place in range(len(table.names))]
        whole = lgb.Dataset(table.values, label, feature_name=names)
        init = before[nth % len(before)] if before else None
        if judged is None:
            boosters.append(lgb.train(parameters, whole, settings.rounds, init_model=init))
            continue
        held = whole.create_valid(judged[0].values, judged[1])
        stop = lgb.early_stopping(40, verbose=False)
        boosters.append(
            lgb.train(parameters, whole, settings.rounds, valid_sets=[held], callbacks=[stop], init_model=init)
        )
    return boosters


def _mean(boosters: Sequence[lgb.Booster], values: Array) -> Floats:
    total = sum(np.asarray(one.predict(values, raw_score=True)) for one in boosters)
    return np.asarray(total / len(boosters), np.float64)


def _dropped(table: Columns, draw: np.random.Generator) -> Columns:
    """Modalities hidden at random in each row: each with chance one half in half of the rows."""
    modalities = sorted(frozenset().union(*table.needs))
    gone = (draw.random((len(table.values), len(modalities))) < 0.5) & (draw.random(len(table.values)) < 0.5)[:, None]
    values = table.values.copy()
    for place, need in enumerate(table.needs):
        lost = gone[:, [modalities.index(one) for one in need]].any(axis=1)
        values[lost, place] = np.nan
    return Columns(values, table.names, table.needs)
