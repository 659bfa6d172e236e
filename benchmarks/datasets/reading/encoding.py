"""The encoding of a text, and the same text as UTF-8 with one kind of line end."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from ...console.errors import InputError
from ..libraries import require

MARKS = (  # the longer ones first, for one begins with another
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LIKELY = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
)
PIECE = 1 << 20
SAMPLE = 1 << 16  # bytes of lines that are not ASCII, from which an encoding is guessed
WESTERN = frozenset("äöüßéèêëàâçôîïìòùûÿœæáíóúñãõåøýðþ€£°µ–—’‘“”„…«»²³½¼ªº®©™§¿¡·±×\xa0")
BEFORE_LETTER = re.compile("[£³²¼½¹][a-zà-ÿ]")  # letters of other encodings, inside a word
MOST_BETWEEN = 0.3  # of the letters with accents, that stand between two others in Western text


class Encoding(NamedTuple):
    """An encoding by Python's name; whether it was only guessed; whether all of the text is known to be in it."""

    name: str
    guessed: bool = False
    checked: bool = False


def encoding_of(name: str, path: Path, given: str | None) -> Encoding:
    """The encoding that was given, or the file's: by its byte order mark, UTF-8 if all of it is, or a guess.

    Raises:
        InputError: Python knows none of that name.
    """
    if given is not None:
        try:
            codecs.lookup(given)
        except LookupError:
            raise InputError(f"--encoding {given}: unknown; such as utf-8, cp1252, utf-16") from None
        return Encoding(given)
    with path.open("rb") as file:
        head = file.read(PIECE)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return Encoding(encoding)
    if encoding := _wide(head):
        return Encoding(encoding)
    return Encoding("utf-8", checked=True) if _is_utf8(path) else Encoding(_guess(path), guessed=True)


def _wide(head: bytes) -> str:
    """UTF-16 without a mark, where nearly every second byte is zero."""
    half = max(1, len(head) // 2)
    if head[1::2].count(0) > 0.7 * half and not head[::2].count(0):
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) > 0.7 * half and not head[1::2].count(0) else ""


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while piece := file.read(PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _guess(path: Path) -> str:
    """Western Windows where the bytes that are not ASCII look like it, or else what charset-normalizer says."""
    sample = bytearray()
    with path.open("rb") as file:
        for line in file:
            if not line.isascii():
                sample += line[:SAMPLE]
            if len(sample) >= SAMPLE:
                break
    if _western(bytes(sample).decode("cp1252", errors="replace")):
        return "cp1252"
    best = require("charset_normalizer").from_bytes(bytes(sample), cp_isolation=list(LIKELY)).best()
    return str(best.encoding) if best is not None else "cp1252"


def _western(text: str) -> bool:
    """Whether all that is not ASCII is used in Western Europe, its letters with accents one or two at a time."""
    marked = [character.lower() not in WESTERN for character in text if not character.isascii()]
    accents = [character.isalpha() and not character.isascii() for character in text]
    between = sum(map(all, zip(accents, accents[1:], accents[2:], strict=False)))
    return not any(marked) and not BEFORE_LETTER.search(text) and between <= MOST_BETWEEN * sum(accents)


def as_utf8(name: str, path: Path, encoding: Encoding, target: Path) -> Path:
    """A file of the same text in UTF-8 with \\n at the end of lines: the file itself where it is so already.

    Raises:
        InputError: the text is not in this encoding.
    """
    if encoding.checked and not _other_line_ends(path):
        return path
    try:
        with path.open(encoding=encoding.name) as source, target.open("w", encoding="utf-8") as copy:
            while piece := source.read(PIECE):
                copy.write(piece)
    except (UnicodeError, LookupError) as error:
        reason = f"is not {encoding.name} ({error})"
        raise InputError(f"{name}: {reason}: say what it is, such as `--encoding cp1252`") from error
    return target


def _other_line_ends(path: Path) -> bool:
    """Whether lines end in a lone carriage return, or not all in the same way, which DuckDB does not take."""
    returns = feeds = pairs = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if piece.endswith(b"\r"):
                piece += file.read(1)
            returns, feeds = returns + piece.count(b"\r"), feeds + piece.count(b"\n")
            pairs += piece.count(b"\r\n")
    return returns != pairs or 0 < pairs < feeds
