"""Opening what people hand over: compressed or not, in any usual encoding, and never more than the machine can bear.

A text file is looked through once before any row of it is used: its compression is checked to the end (a truncated
gzip is found before anything is written), its growth is bounded (a decompression bomb stops early) and its encoding is
known.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from danggol.errors import DataError, UsageError

BLOCK = 1 << 20
"""Bytes read at a time."""
HEAD = 64
"""Bytes that tell what a file is."""
BOMB_RATIO = 200
"""A compressed file may not grow by more than this; tables of text grow by 5 to 40."""
BOMB_FLOOR = 64 << 20
"""... which is asked only beyond this many bytes."""
SAMPLE = 256 << 10
"""Bytes beyond ASCII that are kept to guess an encoding from."""

_MAGIC = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class TextFile:
    """A text file that has been looked through: it unpacks to its end and its encoding is known."""

    path: Path
    compressed: bool
    encoding: str
    """A Python codec name: utf-8, utf-8-sig, utf-16, cp949 or another that fits."""
    clean: bool
    """Whether every byte decodes and none is zero; if not, rows with the others are rejected one by one."""
    size: int
    """Bytes when unpacked."""

    @property
    def name(self) -> str:
        """The file's name, as it stands in rejects and messages."""
        return self.path.name

    def open(self) -> io.TextIOWrapper:
        """The text, line ends untouched; bytes that do not decode become lone surrogates."""
        errors = "strict" if self.clean or self.encoding.startswith("utf-16") else "surrogateescape"
        raw = cast("IO[bytes]", io.BufferedReader(_open_bytes(self.path, self.compressed), BLOCK))
        return io.TextIOWrapper(raw, encoding=self.encoding, errors=errors, newline="")


def find_files(path: Path, *patterns: str) -> list[Path]:
    """The file at ``path``, or the files in the folder ``path`` whose names match the patterns, sorted by name.

    Raises UsageError where there is nothing there or no file matches, DataError where it cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UsageError(f"{path} is neither a file nor a folder: give the path of the data file")
        below = sorted({file for pattern in patterns for file in path.glob(pattern) if file.is_file()})
        found = [path] if stat.S_ISREG(mode) else below
    except FileNotFoundError:
        raise UsageError(f"there is nothing at {path}: give the path of a file or folder that exists") from None
    except OSError as error:
        raise DataError(f"{path} cannot be opened ({error.strerror}): check its permissions and links") from None
    broken = next((file for file in found if "\ufffd" in os.fsencode(file).decode("utf8", "replace")), None)
    if broken is not None:
        raise DataError(f"the name {str(broken)!r} is not UTF-8 text: rename the file")
    if not found:
        wanted = " or ".join(patterns) or "file"
        raise UsageError(f"the folder {path} holds no {wanted}: give the path of the data file itself")
    return found


def find_file(path: Path, *patterns: str) -> Path:
    """The one file that :func:`find_files` finds; UsageError where several match."""
    found = find_files(path, *patterns)
    if len(found) > 1:
        names = ", ".join(file.name for file in found[:4])
        raise UsageError(f"the folder {path} holds several files that fit ({names}): give the path of one of them")
    return found[0]


def inspect_text(path: Path, encoding: str | None = None) -> TextFile:
    """Look a text file through (gzip or plain): bounds, compression and encoding; ``encoding`` overrides the guess.

    Raises DataError where it is empty, broken, grows beyond bounds, is binary, or does not decode as ``encoding``.
    """
    compressed, head = _look(path)
    if not head:
        raise DataError(f"{path.name} is empty: give a file with a heading line and rows")
    scan = _Scan(path.name, encoding or next((name for bom, name in _BOMS if head.startswith(bom)), None))
    for block in _blocks(path, compressed):
        scan.add(block)
    return TextFile(path, compressed, *scan.verdict(), scan.size)


def check_zip(path: Path) -> None:
    """Refuse a zip archive (an Excel workbook is one) that is broken or unpacks beyond bounds: DataError."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path.name} is no readable Excel workbook or zip archive ({error}): save it again") from None
    _bound(path.name, size, path.stat().st_size)


def _bound(name: str, size: int, packed: int) -> None:
    if size > BOMB_FLOOR and size > BOMB_RATIO * max(packed, 1):
        raise DataError(
            f"{name} unpacks to more than {BOMB_RATIO} times its size, as a decompression bomb does: "
            "if you trust it, unpack it yourself and import the result"
        )


def _look(path: Path) -> tuple[bool, bytes]:
    """Whether the file is gzip, and the first bytes of its content; DataError where it is not text."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror}): check its permissions") from None
    compressed = head.startswith(b"\x1f\x8b")
    if path.suffix.lower() == ".gz" and not compressed:
        raise DataError(f"{path.name} is named .gz but holds no gzip data: compress it again, or drop the .gz")
    if compressed:
        head = next(_blocks(path, compressed), b"")[:HEAD]
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"{path.name} is {what}, not a text table: export it as CSV, or name the right file")
    if re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doc|html|table|meta|\?xml|head)", head, re.IGNORECASE):
        raise DataError(f"{path.name} is a web page inside: open it in Excel and save it as .xlsx or CSV")
    return compressed, head


def _open_bytes(path: Path, compressed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb", buffering=0)


def _blocks(path: Path, compressed: bool) -> Iterator[bytes]:
    size = 0
    try:
        with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) if compressed else packed as file:
            while block := file.read(BLOCK):
                size += len(block)
                if compressed:
                    _bound(path.name, size, packed.tell())
                yield block
    except EOFError:
        raise DataError(f"{path.name} is a gzip file that ends too early: fetch or compress it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} is a damaged gzip file ({error}): fetch or compress it again") from None
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror or error}): check its permissions") from None


class _Scan:
    """Reads the bytes once and says how they are encoded."""

    def __init__(self, name: str, encoding: str | None) -> None:
        self.name, self.size, self.nuls = name, 0, 0
        self.wanted = encoding
        self.sample = bytearray()
        try:
            codecs_tried = [encoding] if encoding else ["utf-8", "cp949"]
            self.alive = {codec: codecs.getincrementaldecoder(codec)() for codec in codecs_tried}
        except LookupError:
            raise UsageError(f"there is no encoding {encoding!r}: give one such as utf-8, cp949 or utf-16") from None

    @property
    def wide(self) -> bool:
        """Whether characters take two bytes or more, so that zero bytes are usual."""
        return bool(self.wanted) and codecs.lookup(str(self.wanted)).name.startswith(("utf-16", "utf-32"))

    def add(self, block: bytes) -> None:
        self.size += len(block)
        if not self.wide:
            self.nuls += block.count(0)
            if self.nuls > 0.2 * self.size:
                raise DataError(f"{self.name} is binary, or UTF-16 without its mark: save it as UTF-8 text")
            if block.isascii() and not any(decoder.getstate()[0] for decoder in self.alive.values()):
                return
            if len(self.sample) < SAMPLE:
                self.sample += b"\n".join(line for line in block.split(b"\n") if not line.isascii())[:SAMPLE] + b"\n"
        self._decode(block, final=False)

    def _decode(self, block: bytes, final: bool) -> None:
        for codec, decoder in list(self.alive.items()):
            try:
                decoder.decode(block, final)
            except UnicodeDecodeError:
                del self.alive[codec]
        if self.wide and not self.alive:
            raise DataError(
                f"{self.name} does not decode as {self.wanted} within the first {self.size} bytes: save it as UTF-8"
            )

    def verdict(self) -> tuple[str, bool]:
        """The encoding, and whether all bytes fit it and none is zero."""
        self._decode(b"", final=True)
        sample, clean = bytes(self.sample), not self.nuls and not self.wide
        if self.wanted:
            return self.wanted, clean and self.wanted in self.alive
        if "utf-8" in self.alive:
            return "utf-8", clean
        if "cp949" in self.alive and _share_korean(sample) > 0.9:
            return "cp949", clean
        return _other_encoding(sample), False


def _share_korean(sample: bytes) -> float:
    """The share of characters beyond ASCII that common Korean text uses (KS X 1001), when read as CP949."""
    beyond = "".join(filter(lambda c: not c.isascii(), sample.decode("cp949", "replace")))
    return len(beyond.encode("euc_kr", "ignore")) / 2 / max(len(beyond), 1)


def _other_encoding(sample: bytes) -> str:
    """UTF-8 where most of the text beyond ASCII is that (the rest is broken), else the best guess."""
    read = sample.decode("utf-8", "surrogateescape")
    broken = sum("\udc80" <= c <= "\udcff" for c in read)
    good = sum(not c.isascii() for c in read) - broken
    if good > broken or broken <= 2:
        return "utf-8"
    from charset_normalizer import from_bytes

    guess = from_bytes(sample[: 64 << 10]).best()
    return "utf-8" if guess is None or guess.encoding.startswith(("utf", "ascii")) else guess.encoding
