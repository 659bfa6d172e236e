"""Where an experiment's result lies: one small JSON each, committed under results/parity and results/trust."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from samestep import backends
from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record.files import write_text

FOLDER = Path("results", "parity")
TRUST = Path("results", "trust")  # the experiments on the relay
PACKAGES = ("numpy", "torch", "jax", "flax", "optax", "hypothesis")


def folder(name: str) -> Path:
    """Where the result of an experiment is kept unless somebody says otherwise."""
    return TRUST if name in ("aa", "power", "traps") else FOLDER


def keep(name: str, result: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write a result, whole or not at all, with the command and the versions that made it."""
    found = {"command": f"python -m validation {name}", "versions": versions(), **result}
    path = folder / f"{name}.json"
    write_text(path, json.dumps(found, indent=1) + "\n")
    return path


def read(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """A result that was kept.

    Raises:
        InputError: there is none.
    """
    path = folder / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read; make it with: python -m validation {name}") from error
    return found


def versions() -> dict[str, str]:
    """Versions of the packages that decide a result, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError

    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def lanes() -> tuple[str, ...]:
    """The lanes that can run here on a CPU."""
    able = (name for name in backends.names() if backends.missing(name) is None)
    return tuple(name for name in able if "cpu" in backends.lane_class(name).devices())
