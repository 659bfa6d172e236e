"""Environment variables: which reach the workers, which are recorded, and which are said below the table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samestep.backends.interface import Device
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.measure import BenchmarkRun, environment, settings
from samestep.benchmarks.measure.efforts import WorkerLimits
from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.process import worker_environment
from samestep.benchmarks.measure.settings import LONGEST, RULES, recordable, treatment
from samestep.benchmarks.record import Record
from samestep.benchmarks.report import settings_lines, tables
from tests.helpers.no_limits import leave_out
from tests.helpers.sessions import TASKS, requested
from validation.trap_lanes import EXPECTED

SWITCHED_OFF = [name for name in EXPECTED if name.endswith("SwitchedOff")]
NAMED = """TORCHDYNAMO_DISABLE TORCH_COMPILE_DISABLE TORCHINDUCTOR_FORCE_DISABLE_CACHES TORCHINDUCTOR_NAN_ASSERTS
TORCHINDUCTOR_DEBUG_FUSION TORCHINDUCTOR_PROFILE TORCH_LOGS TORCH_LOGS_OUT TORCH_COMPILE_DEBUG TORCH_TRACE
TORCHDYNAMO_SUPPRESS_ERRORS PYTORCH_JIT PYTORCH_JIT_DISABLE TRITON_INTERPRET JAX_DISABLE_JIT JAX_DEBUG_NANS
JAX_DEBUG_INFS JAX_DEBUG_KEY_REUSE JAX_TRACEBACK_FILTERING JAX_TRACEBACK_IN_LOCATIONS_LIMIT JAX_ENABLE_CHECKS
JAX_CHECK_TRACER_LEAKS JAX_LOG_COMPILES JAX_EXPLAIN_CACHE_MISSES JAX_DUMP_IR_TO JAX_NO_TRACING JAX_ENABLE_X64
JAX_NUMPY_RANK_PROMOTION JAX_TRANSFER_GUARD JAX_DISABLE_MOST_OPTIMIZATIONS JAX_ERROR_CHECKING_BEHAVIOR_NAN
JAX_DEFAULT_MATMUL_PRECISION JAX_ENABLE_PGLE TF_CPP_MAX_VLOG_LEVEL NUMBA_DISABLE_JIT COVERAGE_PROCESS_START"""
SLOWER = """PYTHONTRACEMALLOC PYTHONMALLOC PYTHONDEVMODE PYTHONASYNCIODEBUG PYTHONOPTIMIZE PYTHONPROFILEIMPORTTIME
PYTHON_JIT PYTHON_GIL NPY_DISABLE_CPU_FEATURES OPENBLAS_CORETYPE OPENBLAS_L2_SIZE MKL_CBWR MKL_ENABLE_INSTRUCTIONS
ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA OMP_WAIT_POLICY KMP_BLOCKTIME GOMP_SPINCOUNT MALLOC_ARENA_MAX LD_PRELOAD
GLIBC_TUNABLES XLA_FLAGS JAX_OPTIMIZATION_LEVEL TORCHINDUCTOR_MAX_AUTOTUNE TORCH_NEW_IN_SOME_LATER_VERSION
ATEN_CPU_CAPABILITY BLIS_ARCH VECLIB_X TF_XLA_FLAGS NUMPY_MADVISE_HUGEPAGE CXX"""
PRIVATE = ["TORCH_X_TOKEN", "JAX_COORDINATOR_ADDRESS", "TORCHINDUCTOR_REDIS_URL", "CUDA_API_KEY"]


def example(pattern: str) -> str:
    """A variable of a pattern."""
    return pattern.replace("*", "X")


def variables_of_a_worker(tmp_path: Path) -> dict[str, str]:
    """What a child process with a worker's environment finds in its own."""
    rng = np.random.default_rng(1)
    given = worker_environment(threads="all", cpus=[0], device=Device("cuda"), cache=tmp_path, rng=rng)
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    reply = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, check=True)
    found: dict[str, str] = json.loads(reply.stdout)
    return found


# --- the table of rules -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pattern)
def test_no_rule_stands_behind_one_that_says_otherwise(rule: settings.Rule) -> None:
    assert treatment(example(rule.pattern)) == rule.treatment


@pytest.mark.parametrize("name", NAMED.split())
def test_what_changes_the_work_is_unset(name: str) -> None:
    assert treatment(name) == "unset"


@pytest.mark.parametrize("name", SLOWER.split())
def test_what_changes_the_speed_is_shown(name: str) -> None:
    assert treatment(name) == "shown"
    assert settings.disclosed({name: "1"}, on_cpu=True)


@pytest.mark.parametrize("name", ["TF_VAR_password", "PYTHON_VERSION", "HOME", "NVIDIA_API_KEY", "MY_TOKEN"])
def test_what_only_looks_like_one_of_a_family_is_not_recorded(name: str) -> None:
    assert settings.recorded({name: "1"}) == {}


def test_a_gpus_settings_are_said_of_a_gpu_alone() -> None:
    assert settings.disclosed({"CUDA_LAUNCH_BLOCKING": "1"}, on_cpu=False)
    assert not settings.disclosed({"CUDA_LAUNCH_BLOCKING": "1"}, on_cpu=True)


# --- what reaches a worker ----------------------------------------------------------------------------------


def test_no_variable_that_is_unset_reaches_a_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {*NAMED.split(), *(example(rule.pattern) for rule in RULES if rule.treatment == "unset")}
    for name in names:
        monkeypatch.setenv(name, "0")  # a worker's shell of Python must still start
    assert not names & variables_of_a_worker(tmp_path).keys()
    assert settings.unset(os.environ).keys() == names
    assert not names & environment.read().settings.keys()


def test_the_others_reach_it_and_are_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "AVX2", "MALLOC_ARENA_MAX": "1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert given.items() <= variables_of_a_worker(tmp_path).items()
    assert given.items() <= environment.read().settings.items()


def test_dumps_are_taken_out_of_a_list_of_flags() -> None:
    variables = {"XLA_FLAGS": "--xla_dump_to=/home/me/dump --xla_cpu_enable_fast_math=true"}
    assert settings.for_workers(variables) == {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}
    assert settings.unset(variables) == {"XLA_FLAGS": "--xla_dump_to=dump"}
    assert settings.for_workers({"XLA_FLAGS": "--xla_dump_to=x"}) == {}


# --- what is recorded ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRIVATE)
def test_addresses_and_secrets_are_not_recorded(name: str) -> None:
    assert "s3cret" not in json.dumps([settings.recorded({name: "s3cret"}), settings.unset({name: "s3cret"})])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("/opt/x/libone.so:/opt/y/libtwo.so", "libone.so:libtwo.so"),
        ("--xla_a=1 --xla_b=/home/me/c --xla_d=2", "--xla_a=1 --xla_b=c --xla_d=2"),
        ("granularity=fine,compact,1,0", "granularity=fine,compact,1,0"),
        ("C:\\Users\\me\\lib", "C:lib"),
        ("/home/jane doe/lib.so", "lib.so"),
        ("/home/me/", ""),
    ],
)
def test_a_recorded_value_has_no_folders(value: str, kept: str) -> None:
    assert recordable("LD_PRELOAD", value) == kept


def test_a_recorded_value_is_bounded() -> None:
    assert len(recordable("GLIBC_TUNABLES", "x" * 10**6)) == LONGEST


# --- what a reader is told ----------------------------------------------------------------------------------


def test_a_line_names_what_was_set_and_whom_it_concerns() -> None:
    found = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "512", "KMP_INIT_AT_FORK": "FALSE"}
    (line,) = settings_lines.set_line(found, on_cpu=True)
    assert line.startswith(
        "Set in the environment: OPENBLAS_CORETYPE=Haswell, OPENBLAS_L2_SIZE=512 (OpenBLAS: "
    )
    assert "NumPy" in line
    assert "KMP_INIT_AT_FORK" not in line
    assert settings_lines.set_line({}, on_cpu=True) == []


# --- whole sessions -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bent(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Compilers switched off from outside, and lanes that switch theirs off from inside.

    How they end is known from the first call, so that no block is needed.
    """
    lanes = ["jax:tuned", *(f"validation.trap_lanes:{name}" for name in SWITCHED_OFF)]
    request = requested(tmp_path_factory.mktemp("bent"), *lanes, tasks=tuple(TASKS[:1]))
    with pytest.MonkeyPatch.context() as patch:
        leave_out(patch)
        for name in ("JAX_DISABLE_JIT", "TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE", "PYTHONASYNCIODEBUG"):
            patch.setenv(name, "1")
        with made_folder(request.out) as folder:
            BenchmarkRun.begin(request, limits=WorkerLimits(memory=2 << 30)).certify()
            return folder.record()


@pytest.mark.slow
def test_a_compiler_that_is_switched_off_from_outside_is_on_in_workers(bent: Record) -> None:
    cold = next(cold for cold in bent.colds if cold.lane == "jax:tuned")
    assert cold.programs_compiled
    lane = RecordAnalysis(bent)["two", "jax:tuned"]
    assert (lane.invalid, lane.failed) == (None, None)
    assert bent.plan.unset.keys() >= {"JAX_DISABLE_JIT", "TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE"}
    assert not bent.plan.unset.keys() & bent.plan.environment.settings.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SWITCHED_OFF)
def test_a_lane_that_says_it_is_compiled_and_is_not_has_no_time(name: str, bent: Record) -> None:
    word, reason = EXPECTED[name]
    row = RecordAnalysis(bent)["two", f"validation.trap_lanes:{name}"].row
    assert (row.verdict.word, row.verdict.reason[: len(reason)]) == (word, reason)


@pytest.mark.slow
def test_the_table_and_the_page_say_it(bent: Record) -> None:
    text = tables.render(RecordAnalysis(bent), "markdown")
    assert "PYTHONASYNCIODEBUG=1" in text.replace("\\", "")
    assert "Not passed on to the lanes, since it changes what is run: JAX_DISABLE_JIT=1" in text.replace(
        "\\", ""
    )
