"""The compiled loop: what it can do, its dtype, and that what is timed is what is traced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep import backends
from samestep.backends.spec import SGD, Linear, Loss, ReLU, Synthetic, Task
from tests.helpers.paths import ROOT

if backends.missing("numba"):
    pytest.skip("numba is not here", allow_module_level=True)

pytestmark = pytest.mark.slow

LINE = Task(
    name="line",
    dataset=Synthetic(rows=25, held_out=5, features=3),
    layers=(Linear(in_features=3, out_features=1),),
)


def loss(name: str, **options: float) -> Loss:
    return Loss(name=name, options=tuple(options.items()))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, None),
        ({"loss": loss("mse").model_copy(update={"reduction": "sum"})}, None),
        ({"loss": loss("huber", delta=0.3)}, None),
        ({"loss": loss("smooth_l1", beta=0.5)}, None),
        ({"optimizer": SGD(momentum=0.9, nesterov=True, weight_decay=0.1)}, None),
        ({"loss": loss("smooth_l1", beta=0.0)}, "has smooth_l1 with beta 0"),
        ({"loss": loss("l1")}, "has l1"),
        ({"layers": (*LINE.layers, ReLU())}, "has 2 layers"),
    ],
)
def test_it_says_what_it_cannot_do(changes: dict[str, Any], says: str | None) -> None:
    reason = backends.unsupported("numba", LINE.model_copy(update=changes))
    assert reason is None if says is None else reason is not None and reason.endswith(says)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", ["mse", "huber"])
def test_what_is_timed_is_what_is_traced_in_the_dtype_of_the_data(
    name: str, outputs: int, dtype: str
) -> None:
    layer = Linear(in_features=3, out_features=outputs)
    changes: dict[str, Any] = {
        "layers": (layer,),
        "loss": loss(name),
        "dtype": dtype,
        "optimizer": SGD(momentum=0.9),
    }
    task, lane, rng = LINE.model_copy(update=changes), backends.load("numba"), np.random.default_rng(5)
    x, y = (rng.normal(size=(25, n)).astype(dtype) for n in (3, outputs))
    order, rates = task.row_order(25, 0), task.learning_rates(25)[0]
    start = lane.params(lane.init(task))
    state, losses = lane.epoch(lane.init(task, params=start), (x, y), order, 10, rates)
    _, trace = lane.trace(lane.init(task, params=start), (x, y), order, 10, rates)
    assert state.theta.dtype == dtype
    assert trace.losses.dtype == dtype
    np.testing.assert_array_equal(losses, trace.losses, strict=True)
    for values, recorded in ((lane.params(state), trace.params), (lane.buffers(state), trace.buffers)):
        for key, value in values.items():
            np.testing.assert_array_equal(value, recorded[key][-1], strict=True)
    assert {values.dtype for values in trace.gradients.values()} == {np.dtype(dtype)}


def test_what_is_not_a_number_stays_so() -> None:
    """That sums may be taken in any order is all that the compiler is told."""
    lane, x, y = backends.load("numba"), np.ones((2, 3), np.float32), np.ones((2, 1), np.float32)
    for name in ("mse", "huber"):
        for bad in (np.nan, np.inf):
            task = LINE.model_copy(update={"loss": loss(name)})
            x[1, 1] = bad
            loss_of_batch, _ = lane.forward_backward(lane.init(task, params=start(task)), (x, y))
            assert not np.isfinite(loss_of_batch), (name, bad)


def start(task: Task) -> dict[str, np.ndarray]:
    return {name: np.full(shape, 0.5, np.float32) for name, shape in task.parameters.items()}


COUNTED = """
import numpy as np
from samestep import backends
from samestep.backends.spec import Linear, Synthetic, Task
from samestep.benchmarks.measure import counters
lane = backends.load("numba")
counters.watch_compilations()
layers = (Linear(in_features=2, out_features=1),)
task = Task(name="line", dataset=Synthetic(rows=20, held_out=5, features=2), layers=layers)
def run(dtype):
    spec = task.model_copy(update={"dtype": dtype})
    data = np.ones((20, 2), dtype), np.ones((20, 1), dtype)
    lane.epoch(lane.init(spec), data, np.arange(20), 10, spec.learning_rates(20)[0])
    return counters.programs_compiled("numba"), counters.compilations()
print(counters.programs_compiled("numba"), *run("float32"), *run("float32"), *run("float64"))
"""


def test_programs_are_counted_where_they_are_compiled_and_where_a_cache_has_them(tmp_path: Path) -> None:
    variables = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    for compiled in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", COUNTED], env=variables, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["0", "1", "1", "1", "1", "2", "2"]
        files = list(tmp_path.rglob("*.nbc"))
        assert files
        if compiled:
            times = {path: path.stat().st_mtime_ns for path in files}
    assert times == {path: path.stat().st_mtime_ns for path in files}  # nothing was compiled anew


UNCACHED = """
from samestep.backends import numba_loops
import numpy as np
row = np.arange(3.0)
print(numba_loops.weighted_sum(row, row), numba_loops.weighted_sum.stats.cache_path)
"""


def test_it_runs_where_no_folder_can_hold_its_cache(tmp_path: Path) -> None:
    """A checkout that cannot be written to, and no home."""
    shutil.copytree(ROOT / "backends", tmp_path / "samestep" / "backends", ignore=lambda *_: {"__pycache__"})
    shutil.copyfile(ROOT / "samestep" / "__init__.py", tmp_path / "samestep" / "__init__.py")
    (tmp_path / "samestep" / "backends" / "__pycache__").touch()  # where the folder would be
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(Path(os.devnull) / "home"))
    variables = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", UNCACHED],
        cwd=tmp_path,
        env=variables | nowhere | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["5.0", "None"]
