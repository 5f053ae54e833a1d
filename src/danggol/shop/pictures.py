"""Whether the pictures that tables name are there, stay inside the shop, and can be opened safely."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from danggol.errors import DataError
from danggol.progress import stage
from danggol.shop.run import inside

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "JPEG2000")
_VIDEO = frozenset((".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp", ".ts"))
_MOST_PIXELS = 89_478_485
"""What Pillow itself warns at."""


def is_url(name: str) -> bool:
    """Whether a picture lies on the web, where it is not looked at."""
    return name.startswith(("https://", "http://"))


def fault(root: Path, name: str) -> str | None:
    """The rule that a picture inside the shop at ``root`` breaks, or none.

    Pictures are decoded, since a truncated file shows only then; JPEG at an eighth of its size, which is quick.
    """
    try:
        path = inside(root, name)
    except DataError:
        return "outside_shop"
    try:
        if not path.is_file():
            return "missing_picture"
        return None if path.suffix.lower() in _VIDEO else _open(path)
    except OSError:
        return "missing_picture"


def _open(path: Path) -> str | None:
    whole = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as picture:
                if picture.width * picture.height > _MOST_PIXELS:
                    return "oversized_picture"
                whole = True
                picture.draft("RGB", (1, 1))
                picture.load()
    except Image.DecompressionBombError:
        return "oversized_picture"
    except Exception:  # Pillow's readers raise errors of many kinds on damaged bytes
        return "truncated_picture" if whole else "not_a_picture"
    return None


def faults(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The rule that each faulty picture breaks, by name; URLs are passed over; each name is looked at once."""
    found: dict[str, str] = {}
    local = [name for name in dict.fromkeys(names) if not is_url(name)]
    with stage("check pictures", len(local)) as bar, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(local), 1024):
            part = local[start : start + 1024]
            rules = zip(part, pool.map(partial(fault, root), part), strict=True)
            found |= {name: rule for name, rule in rules if rule is not None}
            bar.advance(len(part))
    return found
