"""Whether bytes are a picture that can be shown, and under which name it stands in the shop."""

from __future__ import annotations

import hashlib
import io
import re
import warnings

from PIL import Image, UnidentifiedImageError

from danggol.errors import DataError

EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif"}
PIXELS = 50_000_000
"""A picture may have no more: beyond, it is taken for a decompression bomb."""


def picture_extension(content: bytes) -> str:
    """The file name extension that fits a picture's bytes; DataError where they are no whole picture, or a huge one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=list(EXTENSIONS)) as picture:
                if picture.width * picture.height > PIXELS:
                    raise DataError(f"a picture of {picture.width} by {picture.height} points, which is too large")
                picture.load()
                return EXTENSIONS[str(picture.format)]
    except UnidentifiedImageError:
        raise DataError("no JPEG, PNG, WebP or GIF picture") from None
    except Image.DecompressionBombError:
        raise DataError("a picture of too many points, as a decompression bomb has") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError) as error:
        raise DataError(f"a damaged picture ({error})") from None


def picture_path(owner: str, extension: str) -> str:
    """Where the picture of an id stands: ``images/``, two characters, the id; its hash where that is no file name."""
    digest = hashlib.sha256(owner.encode()).hexdigest()
    name = owner if re.fullmatch(r"[a-z0-9_-]{1,64}", owner) else digest[:32]
    return f"images/{digest[:2]}/{name}.{extension}"
