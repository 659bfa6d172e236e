"""The registry: laziness, lanes from outside, and lanes that cannot run here."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from samestep import backends
from samestep.backends.interface import Backend

FRAMEWORKS = ("torch", "jax", "flax", "optax")


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "from samestep import backends; backends.names()",
        "from samestep.backends import spec, interface, losses",
        "from samestep.benchmarks import cli, pytest_plugin, tasks",
        "from samestep.benchmarks.measure import options",
        "from samestep.benchmarks import record; from samestep.benchmarks.report import tables",
    ],
)
def test_no_framework_is_imported(statement: str) -> None:
    code = f"import sys; {statement}; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    assert python(code) == "[]\n"


@pytest.mark.parametrize("lane", ["numpy", "numpy:tuned"])
def test_a_lane_imports_only_its_own_framework(lane: str) -> None:
    loads = f"import sys; from samestep import backends; backends.load({lane!r})"
    code = f"{loads}; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    assert python(code) == "[]\n"


def test_the_nine_lanes_are_registered() -> None:
    forms = {
        "numpy": ["", ":tuned"],
        "torch": ["", ":tuned", ":compile", ":fused"],
        "jax": ["", ":tuned", ":fused"],
    }
    assert set(backends.names()) >= {name + form for name, all_forms in forms.items() for form in all_forms}


def test_every_lane_that_can_run_describes_itself() -> None:
    for name in backends.names():
        if backends.missing(name) is None:
            lane = backends.lane_class(name)
            assert issubclass(lane, Backend)
            assert lane.framework == backends.LaneName.parse(name).framework
            assert lane.devices()[0] == ("cuda" if lane.traits.matmul_precision == "tf32" else "cpu")
            assert all(lane.versions().values())


def test_an_unknown_lane_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"no lane 'theano'.*numpy:tuned"):
        backends.load("theano")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(backends.Unavailable, match=r"no device 'cuda' here; it has cpu"):
        backends.load("numpy", "cuda")


def test_a_missing_framework_is_a_reason_and_not_an_error() -> None:
    """torch and jax hidden from the import system, as where they are not installed."""
    hidden = (
        "import sys; from samestep import backends\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'jax'): raise ImportError(f'No module named {name!r}')\n"
        "sys.meta_path.insert(0, Hide())\n"
        "print(*[backends.missing(name) for name in ('torch', 'jax:fused', 'numpy')], sep='|')"
    )
    torch, jax, numpy = python(hidden).strip().split("|")
    assert "pip install 'samestep[torch]'" in torch
    assert "pip install 'samestep[jax]'" in jax
    assert numpy == "None"


def test_torch_compile_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CXX", "")
    for lane in ("torch:compile", "torch:fused"):
        assert "needs a C++ compiler" in (backends.missing(lane) or "")
    assert backends.missing("torch:tuned") is None


def test_two_packages_with_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint("torch", "samestep.backends.torch_backend:TorchBackend", backends.GROUP)]
    entries += [EntryPoint("torch", "mine:Lane", backends.GROUP)]
    monkeypatch.setattr(backends, "entry_points", lambda group: entries)
    with pytest.raises(ValueError, match=r"two packages claim the lane 'torch'.*mine:Lane"):
        backends.names()
