"""Copies: further listings of a product, with another title and picture, at another price, by another seller.

A share of the listings are copies of another listing of their category. In each group of listings of one product the
one listed first is the original; the others are what the product is, told and priced anew. Copies by the original's
own seller are relistings.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from danggol.twin.people import Bools, Floats, Ints
from danggol.twin.randomness import stream
from danggol.twin.sections import Copies

_GROUP = (0.78, 0.14, 0.05, 0.03)
"""How often a copied product has 1, 2, 3, 4 copies; assumed."""

CHANGES = ("cropped", "mirrored", "framed", "brighter", "darker", "compressed", "watermarked")
"""What can be done to a copy's picture."""


@dataclass(frozen=True)
class CopyPlan:
    """What is a copy of what, one row for each listing."""

    real: Ints
    """The place of the original; its own where a listing is one."""
    price: Floats
    """Price as a multiple of the original's; 1 for originals."""
    rating: Floats
    """Rating minus the original's: 0 for originals, up to 0.2 either way."""
    seller: Ints
    language: NDArray[np.str_]
    picture_changed: Bools


def plan_copies(
    settings: Copies,
    category: Ints,
    listed_at: Ints,
    seller: Ints,
    language: NDArray[np.str_],
    known: tuple[int, Mapping[str, float]],
    seed: int,
) -> CopyPlan:
    """Make a share of the listings copies; ``known`` is the number of sellers and the languages' shares.

    The arrays ``(products,)`` are what each listing is if it is not a copy, in order of category. A product has
    mostly one copy, sometimes two to four; more only where the share cannot be reached otherwise. Where there is but
    one seller or one language, copies have those too.
    """
    rng, number = stream(seed, "copies"), len(category)
    real = _originals(rng, settings.share, category, listed_at)
    copy = real != np.arange(number)
    sellers, languages = known
    other = (seller[real] + rng.integers(1, max(2, sellers), number)) % sellers
    relisted = rng.random(number) < settings.same_seller
    names, shares = np.array(list(languages)), np.array(list(languages.values()))
    with np.errstate(divide="ignore"):
        wish = np.log(shares) + rng.gumbel(size=(number, len(names)))
    foreign = np.where(names == language[real][:, None], -np.inf, wish)
    elsewhere = (rng.random(number) < settings.other_language) & (foreign.max(axis=1) > -np.inf)
    spread = rng.normal(size=number) * settings.price_sd
    steps = rng.integers(-2, 3, number) / 10
    changed = rng.random(number) < settings.picture_changed
    return CopyPlan(
        real=real,
        price=np.where(copy, np.exp(spread), 1.0),
        rating=np.where(copy, steps, 0.0),
        seller=np.where(copy, np.where(relisted, seller[real], other), seller),
        language=np.where(copy & elsewhere, names[foreign.argmax(axis=1)], language[real]),
        picture_changed=copy & changed,
    )


def _originals(rng: np.random.Generator, share: float, category: Ints, listed_at: Ints) -> Ints:
    """The original of each listing, of the same category and listed before it."""
    real = np.arange(len(category))
    edges = np.flatnonzero(np.diff(category, prepend=-1, append=category[-1] + 1))
    # Counts rounded on the running sum, so that small categories together have the share too.
    wanted = np.diff(np.round(share * edges).astype(np.int64))
    for start, end, many in zip(edges[:-1], edges[1:], wanted, strict=True):
        copies = min(int(many), end - start - 1)
        if copies <= 0:
            continue
        groups = end - start - copies
        sizes = rng.choice(np.arange(1, 5), groups, p=_GROUP)
        sizes += -(-max(0, copies - sizes.sum()) // groups)
        group = np.concatenate([np.arange(groups), np.repeat(np.arange(groups), sizes)[:copies]])
        rows = start + rng.permutation(end - start)
        # In each group the listing that came first leads the others.
        order = np.lexsort((rows, listed_at[rows], group))
        first = np.searchsorted(group[order], np.arange(groups))
        real[rows] = rows[order][first][group]
    return real


def changed_picture(picture: bytes, draws: Floats) -> bytes:
    """A JPEG that was taken from another listing and changed, once or twice; ``draws`` are six numbers in [0, 1)."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    first = int(draws[0] * len(CHANGES))
    kinds = [CHANGES[first]]
    if draws[1] < 0.3:
        kinds.append(CHANGES[(first + 1 + int(draws[1] / 0.3 * (len(CHANGES) - 1))) % len(CHANGES)])
    for kind in kinds:
        image = _change(image, kind, draws[2:])
    quality = 35 + 15 * draws[5] if "compressed" in kinds else 70 + 12 * draws[5]
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(quality))
    return buffer.getvalue()


def _change(image: Image.Image, kind: str, draws: Floats) -> Image.Image:
    width, height = image.size
    if kind == "cropped":
        left, top = int(width * (0.02 + 0.06 * draws[0])), int(height * (0.02 + 0.06 * draws[1]))
        right, bottom = width - int(width * (0.02 + 0.06 * draws[2])), height - int(height * (0.02 + 0.06 * draws[3]))
        return image.crop((left, top, right, bottom)).resize(image.size, Image.Resampling.BILINEAR)
    if kind == "mirrored":
        return ImageOps.mirror(image)
    if kind == "framed":
        edge = max(2, int(width * (0.02 + 0.03 * draws[0])))
        fill = tuple(int(255 * part) for part in draws[1:4])
        return ImageOps.expand(image.resize((width - 2 * edge, height - 2 * edge)), edge, fill)
    if kind in {"brighter", "darker"}:
        step = 0.08 + 0.14 * draws[0]
        return ImageEnhance.Brightness(image).enhance(1 + (step if kind == "brighter" else -step))
    return _watermarked(image, draws) if kind == "watermarked" else image


def _watermarked(image: Image.Image, draws: Floats) -> Image.Image:
    """A see-through band with a seal at its end, low in the picture."""
    width, height = image.size
    veil = Image.new("L", image.size)
    pen, top = ImageDraw.Draw(veil), int(height * (0.7 + 0.15 * draws[0]))
    pen.rectangle((0, top, width, top + height // 12), fill=90)
    pen.ellipse((width * 3 // 4, top - height // 16, width * 7 // 8, top + height // 16), fill=170)
    color = tuple(int(60 + 195 * part) for part in draws[1:4])
    return Image.composite(Image.new("RGB", image.size, color), image, veil)
