r"""Titles as sellers type them, made comparable: escaped bytes, spelling of characters, and quantities.

``✨`` written as ``\xe2\x9c\xa8`` is read as the character that it stands for; characters are put into NFKC and lower
case. Letters keep their marks, without which Thai or Hindi words fall apart. A number with a unit is written one way,
in the unit's base: ``500 gr``, ``0,5 kg`` and ``500g`` are ``500g``. A point or comma before three digits stands
between thousands where the unit is a small one (``10.000mAh``), before a fraction where it is large (``1.500 kg``).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

_ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_NUMBER = r"(?<![\w.,])(\d+(?:[.,]\d+)*)"
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")
_FRACTIONS = ("inches", "share", "voltage", "age")
"""What is measured by small numbers with a fraction, never by thousands; lengths are where a zero ends the number."""
_LOOSE_MARK = re.compile(r"(?<!\d)[.,]|[.,](?!\d)")
_CODE = re.compile(r"(?=\w*\d)(?=\w*[^\W\d_])\w{3,}")
_DIGITS = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)?(?![\w.,])")

_SPELLINGS: dict[str, tuple[str, float, str]] = {
    **dict.fromkeys(("g", "gr", "gram", "grams", "grm", "гр", "그램", "グラム", "克"), ("g", 1.0, "mass")),
    **dict.fromkeys(("kg", "kilo", "kgs", "킬로", "キロ", "公斤"), ("g", 1000.0, "mass")),
    "mg": ("g", 0.001, "mass"),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("g", 28.35, "mass")),
    **dict.fromkeys(("ml", "cc", "mililiter", "milliliter", "밀리", "毫升"), ("ml", 1.0, "volume")),
    **dict.fromkeys(("l", "lt", "ltr", "liter", "litre", "liters", "리터", "升"), ("ml", 1000.0, "volume")),
    **dict.fromkeys(("cm", "센치", "厘米"), ("mm", 10.0, "length")),
    **dict.fromkeys(("mm", "밀리미터", "毫米"), ("mm", 1.0, "length")),
    **dict.fromkeys(("m", "meter", "metre", "mtr", "미터"), ("mm", 1000.0, "length")),
    **dict.fromkeys(("inch", "inchi", "inci", "인치"), ("inch", 1.0, "inches")),
    **dict.fromkeys(
        ("pcs", "pc", "pieces", "piece", "psc", "buah", "biji", "butir", "lembar", "lbr", "sheet", "sheets", "개", "매",
         "個", "枚", "片"),
        ("pcs", 1.0, "count"),
    ),
    **dict.fromkeys(
        ("pack", "pak", "packs", "box", "dus", "set", "pasang", "pair", "pairs", "박스", "세트"), ("pack", 1.0, "packs")
    ),
    "lusin": ("pcs", 12.0, "count"),
    **dict.fromkeys(("gb", "giga"), ("gb", 1.0, "memory")),
    "tb": ("gb", 1024.0, "memory"),
    **dict.fromkeys(("w", "watt", "watts"), ("w", 1.0, "power")),
    **dict.fromkeys(("v", "volt"), ("v", 1.0, "voltage")),
    "mah": ("mah", 1.0, "charge"),
    **dict.fromkeys(("%", "persen", "percent"), ("pct", 1.0, "share")),
    **dict.fromkeys(("tablet", "tablets", "kapsul", "capsule", "capsules", "kaplet", "caps"), ("caps", 1.0, "pills")),
    **dict.fromkeys(("th", "thn", "tahun", "years"), ("years", 1.0, "age")),  # codespell:ignore thn
}  # fmt: skip
KINDS: dict[str, str] = {base: kind for base, _, kind in _SPELLINGS.values()}
"""What a base unit measures."""
_UNITS = "|".join(sorted(map(re.escape, _SPELLINGS), key=len, reverse=True))
_QUANTITY = re.compile(rf"{_NUMBER}\s?({_UNITS})(?!\w)")
_WRITTEN = re.compile(rf"(?<!\S)\d+(?:\.\d+)?({'|'.join(sorted(KINDS, key=len, reverse=True))})(?!\S)")


def clean(title: str | None) -> str:
    """A title as its words, one space between them, quantities in base units; empty for a missing one."""
    if not title:
        return ""
    text = _ESCAPED.sub(_decoded, title) if "\\x" in title else title
    if "&" in text:
        text = html.unescape(text)
    text = unicodedata.normalize("NFKC", text).lower().translate(_SEEN)
    if not text.isascii():
        text = " ".join(word if word[0].isalnum() else _without_loose_marks(word) for word in text.split())
    text = _QUANTITY.sub(_in_base, text)
    return " ".join(_LOOSE_MARK.sub(" ", text).replace("%", " ").split())


def cleaned(titles: Sequence[str | None]) -> list[str]:
    """:func:`clean` of each."""
    return [clean(title) for title in titles]


def quantities(text: str) -> list[tuple[str, str]]:
    """The quantities of a cleaned title with what they measure: ``[("500g", "mass")]``."""
    return [(found.group(0), KINDS[found.group(1)]) for found in _WRITTEN.finditer(text)]


def numbers(text: str) -> list[str]:
    """The plain numbers of a cleaned title, those of quantities left out."""
    return _DIGITS.findall(text)


def codes(text: str) -> list[str]:
    """Words of letters and digits, such as a model's number; quantities left out."""
    return [word for word in _CODE.findall(text) if not _WRITTEN.fullmatch(word)]


def _decoded(found: re.Match[str]) -> str:
    return bytes.fromhex(found.group(0).replace("\\x", "")).decode("utf8", errors="ignore")


class _Seen(dict[int, str | None]):
    """What becomes of each character: letters, their marks and digits stay, so do marks of numbers; others part words.

    Joiners, which only say how letters are drawn, go.
    """

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        kind = unicodedata.category(letter)
        apart = kind[0] in "PSCZ" or kind == "Me"
        found = None if letter in _JOINERS else letter if letter in ".,%" or not apart else " "
        self[code] = found
        return found


_JOINERS = frozenset("\u00ad\u0307\u200c\u200d\u2060") | {chr(code) for code in range(0xFE00, 0xFE10)}
_SEEN = _Seen()


def _without_loose_marks(word: str) -> str:
    """A word without marks at its beginning, where they stand on no letter."""
    while word and unicodedata.category(word[0])[0] == "M":
        word = word[1:]
    return word


def _number(text: str, factor: float, kind: str) -> float | None:
    """The number that is written; None where it is none (a date, a version)."""
    marks = [letter for letter in text if letter in ".,"]
    plain = text.replace(".", "").replace(",", "")
    if not marks:
        return float(plain)
    if len(marks) == 1:
        small = factor <= 1 and kind not in _FRACTIONS and (kind != "length" or text.endswith("0"))
        return float(plain) if small and _THOUSANDS.fullmatch(text) else float(text.replace(",", "."))
    if len(set(marks)) == 1:
        return float(plain) if _THOUSANDS.fullmatch(text) else None
    whole, _, fraction = text.rpartition(marks[-1])
    if set(marks[:-1]) != {marks[0]} or not _THOUSANDS.fullmatch(whole):
        return None
    return float(f"{whole.replace(marks[0], '')}.{fraction}")


def _in_base(found: re.Match[str]) -> str:
    base, factor, kind = _SPELLINGS[found.group(2)]
    number = _number(found.group(1), factor, kind)
    if number is None:
        return found.group(0)
    value = number * factor
    return f" {value:.6g}{base} " if value < 1e6 else f" {value:.0f}{base} "
