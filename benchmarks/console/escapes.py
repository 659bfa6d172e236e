"""Text from a record or a file as a terminal may have it."""

from __future__ import annotations

from unicodedata import category


def visible(text: str) -> str:
    """The text with everything that does not print, such as terminal escapes, written as Python escapes it."""
    if text.isprintable():
        return text
    return "".join(c if _prints(c) else c.encode("unicode_escape").decode() for c in text)


def _prints(character: str) -> bool:
    return character.isprintable() or category(character) == "Zs"  # any space that stays on its line
