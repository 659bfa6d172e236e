"""HTML from templates: Jinja2 escapes whatever comes from a record, and JSON inside a script cannot end it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib import resources
from itertools import chain, count
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..console.escapes import visible
from .formatting import typeset

STATIC = "static"


def fill(template: str, **values: Any) -> str:
    """A template of the folder `static`, filled."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("samestep.benchmarks.report", STATIC),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,  # Markup is ours, as it is
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["typeset"] = typeset
    return made


@cache
def static(name: str) -> Markup:
    """A file of ours, to be inlined as it is."""
    return Markup(
        resources.files("samestep.benchmarks.report").joinpath(STATIC, name).read_text(encoding="utf-8")
    )


def script_json(value: Any) -> Markup:
    """A value as JSON that is safe inside <script>: no `<`, `>` or `&` is left in it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


class Anchors:
    """Addresses on a page: readable, made of what is named, each given once."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)

    def of(self, *names: str) -> str:
        """An address of its own for something that has these names."""
        words = [word for name in names for word in re.findall(r"[a-z0-9]+", name.lower())]
        plain = "-".join(words) or "part"
        anchor = next(
            each for each in chain([plain], (f"{plain}-{n}" for n in count(2))) if each not in self.taken
        )
        self.taken.add(anchor)
        return anchor


def script_hash(text: str) -> str:
    """How a Content-Security-Policy names a script that may run: by the digest of its text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
