"""What is read from the source text of a lane is what its class has."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import pytest

from samestep import backends
from samestep.benchmarks.verify.lane_declarations import compiled_elsewhere, declared_lanes
from tests.helpers.paths import DATA

OURS = sorted(lane for lane, place in backends.places().items() if place.module.startswith("samestep."))


@pytest.mark.slow  # imports every framework
@pytest.mark.parametrize("lane", OURS)
def test_a_lane_declares_what_its_class_has(lane: str) -> None:
    made = backends.lane_class(lane)
    traits = asdict(made.traits)
    traits["products"] = traits.pop("matmul_precision")
    assert declared_lanes()[lane] == {"framework": made.framework, "tier": made.tier} | traits


def test_every_lane_of_this_project_is_read() -> None:
    assert sorted(declared_lanes()) == OURS


@pytest.mark.slow
def test_verify_imports_no_framework() -> None:
    code = (
        "import sys; from samestep.benchmarks.commands.verify import verify;"
        f"verify({str(DATA / 'record-1.json')!r});"
        "print(sorted({'torch', 'jax', 'flax', 'optax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_lane_may_declare_what_it_compiles_elsewhere() -> None:
    """torch:fused on a device, or with a PyTorch, that has no loop."""
    assert compiled_elsewhere("torch:fused") == "10 steps"
    assert compiled_elsewhere("torch:compile") is None
    assert "compiled_elsewhere" not in declared_lanes()["torch:fused"]
