"""A small race that has been measured, and is shown by many a pytest."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.paths import ROOT
from tests.helpers.pieces import lay_out
from tests.helpers.processes import ONLY, run_pytest

PLUGIN = ("-p", "samestep.benchmarks.pytest_plugin")


class Raced:
    """A finished race: its pieces, and what pytest said and saved of them with many options at once."""

    def __init__(self, finished: Path, folder: Path) -> None:
        self.json, self.storage, self.chart = (
            folder / "mine.json",
            folder / "saved",
            folder / "charts" / "speed",
        )
        self.pieces, self.out = folder / "pieces", folder / "run"
        lay_out(finished, self.pieces)
        self.done = self.again(
            self.out,
            f"--benchmark-json={self.json}",
            "--benchmark-autosave",
            f"--benchmark-storage={self.storage}",
            f"--benchmark-histogram={self.chart}",
            "--benchmark-group-by=param:lane",
            "--benchmark-columns=min,rounds",
            "--benchmark-sort=name",
        )

    @property
    def saved(self) -> Path:
        (path,) = self.storage.rglob("*.json")
        return path

    def again(
        self, folder: Path, *words: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The race shown in a folder of its own, with other options."""
        shutil.copytree(self.pieces / "relay", folder / "relay")
        return run_pytest(*(ONLY if cwd == ROOT else ONLY[:1]), *words, resume=folder, cwd=cwd, env=env)

    def slowed(self, folder: Path, factor: float) -> Path:
        """A storage with the saved run, its times multiplied."""
        document = json.loads(self.saved.read_text())
        for each in document["benchmarks"]:
            each["stats"] |= {name: factor * each["stats"][name] for name in ("min", "mean")}
        path = folder / self.saved.relative_to(self.storage)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        return folder
