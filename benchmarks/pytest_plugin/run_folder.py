"""The one place that writes what a run leaves in its folder: benchmark.json and table.md, and no scratch."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..analysis import RecordAnalysis
from ..measure import BenchmarkRun
from ..measure.exclusive import made_folder
from ..measure.folder import TABLE
from ..record import WHOLE, AnyRecord
from ..record.files import json_text, load, write_text


def write_run(analysis: RecordAnalysis, out: Path, table: str) -> Path:
    """Write the JSON and the Markdown table of a run, whole or interrupted; gives the path of the JSON.

    The pieces that it was measured in go once nothing is missing and the JSON here, read back, holds all of it.

    Raises:
        InputError: they cannot be written, the JSON cannot be read back, or another process is measuring there.
            The pieces stay.
    """
    from .adapter import document  # it loads pytest-benchmark

    path = out / WHOLE
    with made_folder(out, make=False):
        run = BenchmarkRun(out)
        write_text(path, json_text(document(analysis)))
        write_text(out / TABLE, table)
        if not run.lacks() and holds(path, analysis.record):
            shutil.rmtree(run.folder.root, ignore_errors=True)
    return path


def holds(path: Path, record: AnyRecord) -> bool:
    """Whether the file holds this very record, read back.

    Raises:
        InputError: it cannot be read.
    """
    return load(path).model_dump_json() == record.model_dump_json()  # NaN equals nothing, its text itself
