"""What lanes say of themselves, asked in processes of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from samestep import backends
from samestep.benchmarks.measure import lane_facts as module
from samestep.benchmarks.measure.lane_facts import ask, lane_facts
from tests.helpers.outside_lanes import install

NUMPY = ("numpy", "numpy:fused", "numpy:tuned")
BODY = "from samestep.backends.numpy_backend import NumpyBackend as {name}\n"


@pytest.mark.slow
@pytest.mark.parametrize("cpus", [(0,), (0, 1)])
def test_it_is_what_they_say_in_this_process(cpus: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "allowed_cpus", lambda: cpus)
    names = tuple(reversed(backends.names()))
    assert lane_facts(names) == [ask(name) for name in names]


@pytest.mark.slow
def test_a_lane_that_ends_its_process_or_prints_concerns_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, "numpy:dying", "Dying", "import os\nos.abort()\n")
    install(tmp_path, "numpy:leaving", "Leaving", "import os\nos._exit(0)\n")
    install(tmp_path, "numpy:loud", "Loud", BODY.format(name="Loud") + "print('hello')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(module, "allowed_cpus", lambda: (0, 1))
    facts = {
        each["lane"]: each for each in lane_facts((*NUMPY, "numpy:dying", "numpy:leaving", "numpy:loud"))
    }
    assert facts["numpy:dying"]["missing"] == "to ask it ends the process (SIGABRT)"
    assert facts["numpy:leaving"]["missing"] == "to ask it ends the process (exit 0)"
    assert [facts[name] for name in NUMPY] == [ask(name) for name in NUMPY]
    assert facts["numpy:loud"]["devices"] == ["cpu"]
    assert "hello" in capfd.readouterr().err
    assert str(tmp_path) not in os.environ.get("PYTHONPATH", "")
