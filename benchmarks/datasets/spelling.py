"""The description of a file as it is typed: names with commas between them, and the options of a command."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from samestep.backends.spec import File


def names_of(text: str) -> tuple[str, ...]:
    """Names with commas between them; one with a comma in it stands in quotes."""
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True)))


def text_of(names: Iterable[str]) -> str:
    """The text that `names_of` reads."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def arguments_of(file: File, path: str) -> list[str]:
    """The options that describe a file, which lies at `path`, as a list of words."""
    words = ["--data", path, "--target", file.target]
    words += ["--features", text_of(file.features)] if file.features else []
    return [*words, *_reading(file)]


def _reading(file: File) -> Iterator[str]:
    reading = file.reading
    for name in ("separator", "decimal", "encoding"):
        if (value := getattr(reading, name)) is not None:
            yield f"--{name}={value}"
    for name in ("null", "skip", "categorical"):
        yield from (f"--{name}={value}" for value in getattr(reading, name))
    if reading.no_header:
        yield "--no-header"
    if reading.missing != "refuse":
        yield f"--missing={reading.missing}"
