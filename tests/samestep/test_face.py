"""What people import: each name lazily from where it is defined, typed, and without any framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import samestep
from samestep.result import load
from tests.helpers.paths import REFERENCE

HEAVY = ("numpy", "scipy", "pydantic", "pytest", "typer", "torch", "jax", "flax", "optax")


def test_every_name_is_there_and_is_the_one_that_type_checkers_see() -> None:
    """Also with `from samestep import *`."""
    tree = ast.parse(Path(samestep.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.asname: f"{node.module}.{alias.name}" for node in imports for alias in node.names}
    assert set(typed) == set(samestep.__all__) <= set(dir(samestep))
    for name in samestep.__all__:
        assert typed[name].rpartition(".")[0] == samestep._HOME_OF[name]
        assert getattr(samestep, name) is not None
    assert samestep.tasks.__name__ == "samestep.benchmarks.tasks"
    assert samestep.load is load
    assert samestep.__version__ == version("samestep")
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        samestep.trian  # noqa: B018


def test_importing_it_imports_nothing_heavy() -> None:
    code = f"import sys, samestep; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_a_program_of_ones_own_is_certified_and_a_record_is_loaded() -> None:
    task = samestep.Task(
        name="mine",
        dataset=samestep.Synthetic(rows=95, held_out=20, features=2),
        layers=(samestep.Linear(in_features=2, out_features=1),),
    )
    data = samestep.datasets.load(task.dataset)

    def step(
        params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float
    ) -> dict[str, np.ndarray]:
        error = x @ params["0.weight"] + params["0.bias"] - y
        scale = np.asarray(rate * 2 / len(x), x.dtype)
        return {
            "0.weight": params["0.weight"] - scale * (x.T @ error),
            "0.bias": params["0.bias"] - scale * error.sum(0),
        }

    certificate = samestep.certify(step, task, data)
    assert certificate.status == "pass"
    assert samestep.certify(step, task, (data.x, data.y)).evidence == certificate.evidence
    assert samestep.assert_same_step(step, task, data) == certificate
    record = samestep.load(REFERENCE).record
    assert isinstance(record, samestep.Record)
    assert len(str(record)) < 200
    blocks = f"{len(record.blocks)} of {record.plan.effort.blocks} blocks"
    assert f"baseline {record.plan.baseline}, {blocks}" in repr(record)


@pytest.mark.slow
@pytest.mark.usefixtures("without_limits")
def test_a_comparison_from_python(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Named tasks and one of the caller's own, in the order given; the folder is that of the command."""
    task = samestep.tasks.get("lesson").model_copy(update={"name": "mine"})
    result = samestep.compare(
        [task, "lesson-huber"], ["numpy"], baseline="numpy", effort="smoke", out=tmp_path / "run"
    )
    assert result.record.tasks == ("mine", "lesson-huber")
    assert result.record.plan.lanes == ("numpy",)
    assert samestep.load(tmp_path / "run") == result
    assert (tmp_path / "run" / "table.md").exists()
    out, err = capfd.readouterr()
    assert out == ""
    assert "race" in err
    with pytest.raises(samestep.InputError, match="already holds a run"):
        samestep.compare(out=tmp_path / "run")
    with pytest.raises(samestep.InputError, match="holds a finished run"):
        samestep.compare(resume=tmp_path / "run")
    with pytest.raises(samestep.InputError, match="leave out tasks"):
        samestep.compare("lesson", resume=tmp_path / "run")
    with pytest.raises(samestep.InputError, match="unknown task 'lession'"):  # one name needs no list
        samestep.compare("lession")
