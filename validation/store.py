"""Where an experiment's result lies: one small JSON each, committed under results/parity and results/trust."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record.files import json_text, write_text

PARITY, TRUST = Path("results", "parity"), Path("results", "trust")
FOLDERS = dict.fromkeys(("mutants", "alarms", "slack", "float32"), PARITY) | dict.fromkeys(
    ("aa", "permuted", "power", "traps"), TRUST
)
PACKAGES = ("numpy", "torch", "jax", "flax", "optax", "hypothesis")


def keep(name: str, result: dict[str, Any], folder: Path) -> Path:
    """Write a result, whole or not at all, with the command and the versions that made it."""
    path = folder / f"{name}.json"
    stated = {"command": f"python -m validation {name}", "versions": versions(), **result}
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(json.loads(json_text(stated)), allow_nan=False, indent=1) + "\n")
    return path


def read(name: str, root: Path = Path()) -> dict[str, Any]:
    """A result that is committed in the checkout at `root`.

    Raises:
        InputError: there is none.
    """
    path = root / FOLDERS[name] / f"{name}.json"
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read; make it with: python -m validation {name}") from error
    return result


def versions() -> dict[str, str]:
    """Versions of the packages that decide a result, as far as they are installed."""
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
