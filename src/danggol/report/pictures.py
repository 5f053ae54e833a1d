"""Pictures of the shop as small data URIs; one that cannot be shown becomes nothing, and the page a placeholder."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from danggol.errors import DataError

if TYPE_CHECKING:
    from danggol.shop import Shop

EDGE = 96
"""The longest edge of a thumbnail, in pixels."""

_MOST_BYTES = 32_000_000
_MOST_PIXELS = 40_000_000


class Pictures:
    """Thumbnails by path, each read once; nothing is fetched and no path leaves the shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._made: dict[str, str | None] = {}

    def uri(self, image: str | None) -> str | None:
        """A ``data:`` URI of at most 96 x 96 pixels; None for an address, a missing, broken or enormous picture."""
        if not image or "://" in image or image.startswith("data:"):
            return None
        if image not in self._made:
            self._made[image] = self._thumbnail(image)
        return self._made[image]

    def _thumbnail(self, image: str) -> str | None:
        try:
            path = self.shop.resolve(image)
            if not path.is_file() or path.stat().st_size > _MOST_BYTES:
                return None
            content = _shrink(path.read_bytes())
        except (DataError, OSError):
            return None
        return None if content is None else "data:image/webp;base64," + base64.b64encode(content).decode("ascii")


def _shrink(content: bytes) -> bytes | None:
    """A picture as a small WebP without its metadata; None where it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            picture.draft("RGB", (2 * EDGE, 2 * EDGE))
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
        upright.thumbnail((EDGE, EDGE))
        flat = Image.new("RGB", upright.size, "white")
        flat.paste(upright, mask=upright.getchannel("A"))
        out = io.BytesIO()
        flat.save(out, "WEBP", quality=72, method=4)
    except Exception:  # a broken picture can raise anything in a decoder; it must not cost the report
        return None
    return out.getvalue()
