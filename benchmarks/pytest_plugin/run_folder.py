"""The one place that writes what a run leaves in its folder: benchmark.json and table.md, and no scratch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ..analysis import RecordAnalysis
from ..measure import BenchmarkRun
from ..record import WHOLE
from ..record.files import write_text


def write_run(analysis: RecordAnalysis, out: Path, table: str, *, json_elsewhere: bool = False) -> Path:
    """Write the JSON and the Markdown table of a run, whole or interrupted; gives the path of the JSON.

    The pieces that it was measured in go once nothing is missing and all of them are in the JSON here.
    `json_elsewhere`: the user has the JSON in a file of their own choice, so there is none in the folder.
    """
    from .adapter import document  # it loads pytest-benchmark

    path, run = out / WHOLE, BenchmarkRun(out)
    if not json_elsewhere:
        write_text(path, json.dumps(document(analysis), separators=(",", ":")))
    write_text(out / "table.md", table)
    if path.exists() and not run.lacks():
        shutil.rmtree(run.folder.root, ignore_errors=True)
    return path
