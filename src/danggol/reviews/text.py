"""Review texts put into one form, whatever keyboard, page or encoding they came from.

What stays is what says something: letters, digits, marks, emoji, and how often a letter was repeated, up to three
times (of six ㅋ three stay, of two two). What goes: markup, control and invisible characters, full-width and half-width
forms, Korean letters that are stored in pieces, capitals.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

from danggol.errors import DataError

Text = str | bytes | None

_TAG = re.compile(r"<!--.{0,2000}?-->|</?[a-zA-Z][^<>]{0,300}>|<br\s*/?>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31}[0-9]{0,2});")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_BLANK = re.compile(r"[\s\x1c-\x1f\u3164\uffa0]+")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_EMOJI = (
    "[\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u2580-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff]"
)
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_PICTURES = re.compile(f"({_EMOJI})")
_PLAIN = re.compile("[^\u3131-\u318e\u2190-\u27bf]+")
"""What NFKC may change: it would turn ㅋ and ㅠ into pieces of syllables, and ™ or ① within emoji into letters."""
_LONG = re.compile(r"(.)\1{3,}", re.DOTALL)
_LOST = "\ufffd"
_PIECES = {
    ord(unicodedata.normalize("NFKC", chr(code))): chr(code)
    for code in range(0x3131, 0x3164)
    if len(unicodedata.normalize("NFKC", chr(code))) == 1
}
"""Letters of Korean that stand alone but are stored as pieces of a syllable."""
_PIECE = re.compile("[\u1100-\u11ff]")
_MISREAD = re.compile("[\xa1-\xfe]")
_MISREAD_RUN = re.compile("[\xa1-\xfe]{2,}")
_SYLLABLES = re.compile("[\uac00-\ud7a3]")
_ANYTHING = re.compile(rf"\w|{_EMOJI}|[!?~♡♥]")


def clean(text: Text, longest: int = 2000) -> str:
    """One text in its one form, of at most ``longest`` characters: the first and the last half of a longer one.

    Bytes are read as UTF-8, or else as CP949, which Korean spreadsheets are stored in. An empty text is one that says
    nothing (see :func:`readable`). DataError: bytes in another encoding.
    """
    if text is None:
        return ""
    found = decoded(text) if isinstance(text, bytes) else text
    found = _shortened(found, 4 * longest)
    plain = found if found.isascii() else _mended(found)
    if "&" in plain:
        plain = _ENTITY.sub(lambda match: html.unescape(match.group()), plain)
    if "<" in plain:
        plain = _TAG.sub(" ", plain)
    if not plain.isascii():
        plain = _one_form(plain)
    if not plain.isprintable():
        plain = _CONTROL.sub("", plain)
    plain = _BLANK.sub(" ", plain).strip().lower()
    return _shortened(_LONG.sub(r"\1\1\1", plain), longest)


def cleaned(texts: Sequence[Text], longest: int = 2000) -> list[str]:
    """Many texts; see :func:`clean`. DataError names the text."""
    found = []
    for nth, text in enumerate(texts):
        try:
            found.append(clean(text, longest))
        except DataError as error:
            raise DataError(f"text {nth + 1}: {error}") from error
    return found


def readable(text: str) -> bool:
    """Whether a cleaned text says anything: a letter, digit, emoji or mark of feeling; a third at most may be lost."""
    return bool(_ANYTHING.search(text)) and text.count(_LOST) * 3 <= len(text)


def decoded(content: bytes) -> str:
    """Bytes as text: UTF-8, or else CP949. DataError: neither."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError("the bytes are neither UTF-8 nor CP949 (EUC-KR); convert the text to UTF-8 first")


def _mended(text: str) -> str:
    """CP949 that was read as Latin-1 (ÁÁ¾Æ¿ä is 좋아요), where nearly all of it becomes Korean syllables.

    Most of its letters stand beside each other, as those of Portuguese capitals (NÃO) do not.
    """
    high = len(_MISREAD.findall(text))
    together = sum(map(len, _MISREAD_RUN.findall(text)))
    if high < 4 or together < 0.8 * high or not text.isprintable():
        return text
    try:
        found = text.encode("latin-1").decode("cp949")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text
    return found if 2 * len(_SYLLABLES.findall(found)) >= 0.8 * high else text


def _one_form(text: str) -> str:
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFC", text)
        text = _PLAIN.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    if _PIECE.search(text):
        text = text.translate(_PIECES)
    text = _TONE.sub("", _INVISIBLE.sub("", text))
    return _PICTURES.sub(r" \1 ", text)


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[: longest - half - 1]} {text[-half:]}"
