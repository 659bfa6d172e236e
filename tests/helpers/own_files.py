"""A file of one's own: written, read, and its values as they stood in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep.backends.spec import File, Reading
from samestep.benchmarks import datasets
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.datasets.split import held_out_rows

SEVERAL = ("null", "skip", "categorical")


def load(path: Path, target: str = "y", **reading: Any) -> datasets.Split:
    """A file read with some options."""
    features = reading.pop("features", None)
    return datasets.load(File(path=str(path), target=target, features=features, reading=Reading(**reading)))


def refused(path: Path, target: str = "y", **reading: Any) -> str:
    """The line that says why a file is not read."""
    with pytest.raises(InputError) as error:
        load(path, target, **reading)
    line = str(error.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


def pasted(line: str, target: str = "y") -> dict[str, Any]:
    """The options that a refusal proposes, as `load` takes them."""
    at_once = re.search(r"or all of it at once: `(.*)`$", line)
    words = shlex.split(at_once[1] if at_once else re.findall(r"`(--[^`]*)`", line)[0])
    options: dict[str, Any] = {"target": target}
    while words:
        name, given, value = words.pop(0).removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if name == "no_header":
            options[name] = True
            continue
        value = value if given else words.pop(0)
        options[name] = (*options.get(name, ()), value) if name in SEVERAL else value
    return options


def original(split: datasets.Split) -> dict[str, np.ndarray]:
    """Every feature and the target in the file's rows and units, from the training rows and those held out."""
    count = len(split.x) + len(split.x_test)
    held_out = held_out_rows(count, 0, "")
    columns = {}
    t = split.transform
    parts = [(name, split.x[:, i], split.x_test[:, i]) for i, name in enumerate(split.features)]
    scales = zip(t.feature_mean, t.feature_scale, strict=True)
    for (name, train, test), (mean, scale) in zip(parts, scales, strict=True):
        columns[name] = _joined(train, test, held_out) * scale + mean
    y = _joined(split.y[:, 0], split.y_test[:, 0], held_out)
    return columns | {split.target: y * t.target_scale + t.target_mean}


def _joined(train: np.ndarray, test: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    values = np.empty(len(held_out))
    values[~held_out], values[held_out] = train, test
    return values
