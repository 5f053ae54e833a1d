"""Numbers, words and countries as people write them, in English, Korean and a few other languages."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any, cast

import polars as pl

from danggol.shop.codes import CURRENCIES, LANGUAGES

NOTHING = frozenset(
    "null none nan na nat n/a #n/a #na #null! #value! #ref! #div/0! \\n - -- — . 미상 없음 해당없음".split()
)
"""Texts that mean that nothing is there, where a column cannot make anything else of them."""
NO_ID = frozenset("null none nan n/a #n/a #na #null! #value! #ref! \\n".split())
"""The same for ids, of which nearly every text may be one."""

SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200C))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What ``check`` takes for nothing at an end of a text: white space, and the two signs of no width."""

_MONEY = r"(?i)[₩$€£¥₫฿₹₽원円元엔圓₺₱￦]|\b(?:KRW|USD|EUR|JPY|CNY|RMB|GBP|US\$)|(?:KRW|USD|EUR|JPY|CNY|RMB|GBP)\b"
_UNITS = r"(?:개|명|점|건|회|박스|장|매|EA|ea|pcs)$"
_FACTORS = {"K": 1e3, "k": 1e3, "천": 1e3, "M": 1e6, "만": 1e4, "万": 1e4, "억": 1e8, "亿": 1e8, "%": 0.01}


def read_numbers(text: pl.Series, decimal: str = ".") -> pl.Series:
    """The texts as finite numbers, null where one is none: ``1,234원``, ``₩1,234``, ``(1,234)``, ``15%``, ``3.2K``.

    ``decimal`` is the sign before the fraction; the other one, blanks and apostrophes may stand between thousands, in
    groups of three.
    """
    frame = pl.DataFrame({"text": text})
    if decimal == ".":
        found = frame.select(_finite(pl.col("text"))).to_series()
        if found.null_count() == text.null_count():
            return found
    return frame.select(_written(decimal)).to_series()


def tidy(text: pl.Expr) -> pl.Expr:
    """Texts as words are compared: without case, blanks, punctuation and differences of width."""
    return text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\w$€£¥₩]|_", "")


def tidy_word(word: str) -> str:
    """One text, as :func:`tidy` makes it."""
    return re.sub(r"[^\w$€£¥₩]|_", "", unicodedata.normalize("NFKC", word).lower())


def read_words(text: pl.Series, group: str) -> pl.Series:
    """The texts as the codes that they mean in a group, such as ``country``, ``currency`` or ``gender``; else null."""
    return pl.DataFrame({"text": text}).select(
        tidy(pl.col("text")).replace_strict(words(group), default=None, return_dtype=pl.String)
    )["text"]


def groups() -> tuple[str, ...]:
    """The groups that :func:`words` knows."""
    return ("country", *_word_file())


@cache
def words(group: str) -> dict[str, str]:
    """From tidied words to codes."""
    if group == "country":
        return {tidy_word(word): code for code, names in _country_names().items() for word in (code, *names)}
    found = {tidy_word(word): code for code, said in _word_file()[group].items() for word in (code, *said)}
    codes = {"language": LANGUAGES, "currency": CURRENCIES}.get(group, frozenset())
    return found | {code.lower(): code for code in codes}


@cache
def _country_names() -> dict[str, list[str]]:
    return {code: str(names).split("|") for code, names in _toml("countries.toml").items()}


@cache
def _word_file() -> dict[str, dict[str, list[str]]]:
    return cast(dict[str, dict[str, list[str]]], _toml("words.toml"))


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads(files("danggol.shop.sources.mapping").joinpath(name).read_text("utf8"))


def _finite(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _written(decimal: str) -> pl.Expr:
    """Take currency, sign, unit and separators off, and insist that what is left is a number."""
    text = (
        pl.col("text").str.normalize("NFKC").str.replace_all("[−–—]", "-").str.replace_all(_MONEY, "").str.strip_chars()
    )
    text = text.str.replace(_UNITS, "").str.strip_chars()
    bracketed = text.str.contains(r"^\(.*\)$")
    text = text.str.strip_chars("()").str.replace(r"^(.*\d)-$", "-$1")
    suffix = text.str.extract(r"([KkM천만万억亿%])$")
    text = text.str.replace(r"([KkM천만万억亿%])$", "").str.strip_chars()
    point, comma = (r"\.", ",") if decimal == "." else (",", r"\.")
    shape = rf"^[+-]?(?:\d{{1,3}}(?:{comma}\d{{3}})+|\d{{1,3}}(?:['’ ]\d{{3}})+|\d+)?(?:{point}\d*)?(?:[eE][+-]?\d+)?$"
    plain = text.str.replace_all(rf"[{comma}'’ ]", "").str.replace(point, ".")
    number: pl.Expr = pl.when(text.str.contains(shape) & text.str.contains(r"\d")).then(_finite(plain))
    number *= suffix.replace_strict(_FACTORS, default=1.0, return_dtype=pl.Float64)
    return pl.when(bracketed).then(-number).otherwise(number)
