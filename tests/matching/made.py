"""Made-up listings of known products: rare words name the product, common words and a picture hash go with it."""

import numpy as np

from danggol.matching import Listings


def market(products=120, copies=3, seed=0, pictures=True):
    """Listings, and the product of each by id."""
    rng = np.random.default_rng(seed)
    ids, titles, hashes, prices, groups = [], [], [], [], {}
    common = [f"murah{nth}" for nth in range(8)]
    for product in range(products):
        name = [f"merek{rng.integers(30)}", f"jenis{product}", f"seri{rng.integers(products)}", f"{100 + product} gr"]
        picture = int(rng.integers(1, 2**63))
        for copy in range(copies):
            words = [*rng.permutation(name), *rng.choice(common, 3)]
            listing = f"p{product:03d}-{copy}"
            ids.append(listing)
            titles.append(" ".join(words))
            hashes.append(f"{picture ^ (1 << int(rng.integers(60))):016x}" if pictures and rng.random() < 0.7 else None)
            prices.append(10.0 + product + rng.random())
            groups[listing] = product
    return Listings.of(ids, titles, hashes, prices), groups


def rows_of(listings, groups):
    return np.array([groups[name] for name in listings.ids.tolist()])
