"""The registry: laziness, lanes from outside, and lanes that cannot run here."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from samestep import backends
from samestep.backends.interface import Backend
from tests.helpers.lanes import NEEDS_TORCH

FRAMEWORKS = ("torch", "jax", "flax", "optax", "numba")


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


@pytest.mark.parametrize("lane", ["numpy", "numpy:tuned", "numpy:fused"])
def test_a_lane_imports_only_its_own_framework(lane: str) -> None:
    loads = f"import sys; from samestep import backends; backends.load({lane!r})"
    code = f"{loads}; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    assert python(code) == "[]\n"


def test_the_lanes_of_this_package_are_registered() -> None:
    forms = {
        "numpy": ["", ":tuned", ":fused"],
        "torch": ["", ":tuned", ":compile", ":fused"],
        "jax": ["", ":tuned", ":fused"],
        "numba": [""],
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


def hidden(*frameworks: str) -> str:
    """Code that hides frameworks from the import system, as where they are not installed."""
    return (
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {frameworks}:\n"
        "            raise ImportError(f'No module named {name!r}')\n"
        "sys.meta_path.insert(0, Hide())\n"
    )


def test_a_missing_framework_is_a_reason_and_not_an_error() -> None:
    code = (
        f"from samestep import backends\n{hidden('torch', 'jax', 'numba')}"
        "print(*[backends.missing(name) for name in ('torch', 'jax:fused', 'numba', 'numpy')], sep='|')"
    )
    torch, jax, numba, numpy = python(code).strip().split("|")
    assert "pip install 'samestep[torch]'" in torch
    assert "pip install 'samestep[jax]'" in jax
    assert "pip install 'samestep[numba]'" in numba
    assert numpy == "None"


RAISES = """
import sys, types
from importlib.metadata import EntryPoint
from samestep import backends
class Bad:
    def find_spec(self, name, path=None, target=None):
        if name == 'bad_lane':
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self)
    def create_module(self, spec): return None
    def exec_module(self, module): exec(compile({statement!r}, 'bad_lane.py', 'exec'), module.__dict__)
sys.meta_path.insert(0, Bad())
backends.entry_points = lambda group: [EntryPoint('bad', 'bad_lane:Lane', group)]
"""


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("raise SystemExit(3)", "its import fails: SystemExit: 3"),
        ("import sys; sys.exit('no licence')", "its import fails: SystemExit: no licence"),
        ("raise KeyboardInterrupt", "its import fails: KeyboardInterrupt"),
        ("raise BaseException('a\\nb')", "its import fails: BaseException: a"),
        ("1 / 0", "its import fails: ZeroDivisionError: division by zero"),
    ],
)
def test_whatever_an_import_raises_is_a_reason(statement: str, says: str) -> None:
    assert python(f"{RAISES.format(statement=statement)}\nprint(backends.missing('bad'))").strip() == says


def test_a_signal_during_an_import_is_no_fault_of_the_lane() -> None:
    """Ctrl-C is an interrupt wherever it hits."""
    statement = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(10**9): pass"
    code = (
        f"{RAISES.format(statement=statement)}\ntry: print(backends.missing('bad'))\n"
        "except KeyboardInterrupt: print('interrupted')"
    )
    assert python(code).strip() == "interrupted"


@pytest.mark.skipif(backends.missing("jax") is not None, reason="needs jax")
@pytest.mark.parametrize("platforms", ["cuda", "nowhere", "cpu,nowhere"])
def test_platforms_that_are_not_there_are_a_reason(platforms: str) -> None:
    """The other frameworks, which take no part in it, take their time to import."""
    code = hidden("torch", "numba") + (
        f"import os; os.environ['JAX_PLATFORMS'] = {platforms!r}\n"
        "from samestep import backends\n"
        "from samestep.benchmarks.commands import list as listing\n"
        "from samestep.benchmarks.measure.able_lanes import why_not\n"
        "from samestep.benchmarks.measure.request import choose_lanes\n"
        "print(backends.missing('jax'))\n"
        "assert 'jax ' in listing.text() and choose_lanes([])\n"
        "assert why_not('jax', backends.Device('cpu'))\n"
        "try: backends.load('jax')\n"
        "except backends.Unavailable: print('unavailable')"
    )
    reason, last = python(code).strip().splitlines()
    assert reason.startswith(f"JAX_PLATFORMS={platforms} names a platform that is not here")
    assert last == "unavailable"


@NEEDS_TORCH
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
