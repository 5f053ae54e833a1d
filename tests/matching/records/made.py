"""Pairs of made-up products, written by two shops in their own way."""

from __future__ import annotations

import numpy as np

from danggol.matching.records import Record, RecordPairs

BRANDS = ("sonara", "velkon", "briston", "tamiko", "oldway", "perrin")
THINGS = ("camera", "receiver", "dishwasher", "headset", "printer", "freezer")
COLOURS = ("black", "silver", "white")


def made_pairs(products: int = 150, seed: int = 0) -> RecordPairs:
    """Every product of one shop beside its own listing in the other and five others, of its own brand mostly."""
    rng = np.random.default_rng(seed)
    ours, theirs, brands = [], [], []
    for nth in range(products):
        brand, thing, colour = (str(rng.choice(names)) for names in (BRANDS, THINGS, COLOURS))
        code = f"{thing[:2]}{brand[0]}{100 + nth}{colour[0]}"
        price = float(rng.integers(20, 900))
        brands.append(brand)
        ours.append(_record(name=f"{brand} {colour} {thing} {code}", price=f"{price:.2f}"))
        linked = f"{code[:3]}-{code[3:6]}"
        text = f"{brand} {linked} {thing} {colour if rng.random() < 0.5 else ''}"
        theirs.append(_record(name=text, note="in stock" if rng.random() < 0.5 else "", price=f"{price * 1.05:.2f}"))
    sides: tuple[list[Record], list[Record], list[int]] = ([], [], [])
    for nth in range(products):
        near = [other for other in range(products) if brands[other] == brands[nth] and other != nth]
        others = rng.choice(near, size=min(5, len(near)), replace=False)
        for other in [nth, *others]:
            sides[0].append(ours[nth])
            sides[1].append(theirs[other])
            sides[2].append(int(other == nth))
    order = rng.permutation(len(sides[0]))
    return RecordPairs.of(*([side[nth] for nth in order] for side in sides))


def _record(**values: str) -> Record:
    return {name: value for name, value in values.items() if value}
