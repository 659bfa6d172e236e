"""What reading a table takes: a small multiple of its values as float64."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

pytestmark = pytest.mark.slow

ROWS, COLUMNS = 600_000, 20
MOST_TIMES = 4  # the columns and the rows made of them, or the rows, the parts of a split, and one temporary
PEAK = """
import os, resource, sys
import duckdb
from samestep.backends.spec import File
from samestep.benchmarks import datasets
def peak():
    if not os.path.exists("/proc/self/status"):  # of Linux, where ru_maxrss may be that of the starting process
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
few, many = (File(path=path, target="c0") for path in sys.argv[1:])
datasets.load(few)  # imports what is needed
before = peak()
split = datasets.load(many)
print((peak() - before) / sum(part.nbytes for part in (split.x, split.x_test, split.y, split.y_test)))
"""


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_the_peak_is_a_small_multiple_of_the_values(name: str, tmp_path: Path) -> None:
    columns = ", ".join(f"floor(random() * 1000) AS c{column}" for column in range(COLUMNS))
    paths = [str(tmp_path / f"{rows}-{name}") for rows in (1000, ROWS)]
    for path, rows in zip(paths, (1000, ROWS), strict=True):
        duckdb.sql(f"COPY (SELECT {columns} FROM range({rows})) TO '{path}'")
    done = subprocess.run([sys.executable, "-c", PEAK, *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < MOST_TIMES, done.stdout
