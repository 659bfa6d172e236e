"""Environment variables that bend a run: one table of them, and what becomes of each.

A worker gets none of those that change what is run: a compiler switched off, checks, dumps. Those that change how
fast it runs stay as they are, are recorded, and are shown below the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Literal, NamedTuple

# unset: in workers. shown: recorded, and shown below the table; gpu: only where lanes run on a GPU.
# recorded: chooses or names something. ignored: replaced in workers, or without effect on a run.
Treatment = Literal["unset", "shown", "gpu", "recorded", "ignored"]
LONGEST = 200  # characters of a value that are recorded
PRIVATE = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|AUTH_|API_KEY|COORDINATOR|ADDR|HOST|REDIS|_UR[IL]|USER")
FLAGS = re.compile(r"\s+(?=--)")
UNSET_FLAGS = ("--xla_dump_", "--xla_hlo_profile", "--xla_disable_", "--xla_backend_optimization_level")
FLAG_LISTS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS")


class Rule(NamedTuple):
    """What becomes of the variables of a pattern (`*`: any letters), and what they do or whom they concern."""

    treatment: Treatment
    pattern: str
    what: str


OPENBLAS = "OpenBLAS: NumPy's matrix products; on x86 those of no other lane"
PYTHON = "the interpreter: all lanes, those most that run most Python"
OPENMP = "OpenMP: PyTorch's threads and those of its BLAS"
ALLOCATOR = "the C library's memory: all lanes, each by how it allocates"

RULES = tuple(
    Rule(treatment, pattern, what)  # type: ignore[arg-type]  # a literal below
    for treatment, patterns, what in (
        # --- torch.compile, TorchScript, Triton
        (
            "unset",
            "TORCHDYNAMO_* TORCH_DYNAMO_*",
            "switches torch.compile off, or traces, checks and reports",
        ),
        ("unset", "TORCH_COMPILE_*", "switches torch.compile off, replaces its compiler, or reports"),
        ("unset", "TORCH_CACHING_PRECOMPILE TORCH_STRICT_PRECOMPILE", "loads programs instead of compiling"),
        ("unset", "TORCH_LOGS* TORCH_TRACE* TORCH_DTRACE* TORCH_CPP_LOG_LEVEL", "logs of torch"),
        ("unset", "TORCH_SHOW_* TORCH_*_DEBUG* TORCH_FAKE_TENSOR_* TORCH_PROFILER_*", "reports and checks"),
        ("unset", "TORCH_DISABLE_NATIVE_JIT TORCH_JIT_*", "switches parts of TorchScript off"),
        (
            "unset",
            "TORCHINDUCTOR_*DEBUG* TORCHINDUCTOR_*PROFIL* TORCHINDUCTOR_*ASSERTS",
            "reports and checks",
        ),
        ("unset", "TORCHINDUCTOR_*DUMP* TORCHINDUCTOR_*LOG* TORCHINDUCTOR_SAVE_ARGS", "writes what it does"),
        ("unset", "TORCHINDUCTOR_*METRIC* TORCHINDUCTOR_WRITE_* TORCHINDUCTOR_*HOOK", "writes what it does"),
        ("unset", "TORCHINDUCTOR_*DISABLE* TORCHINDUCTOR_EMULATE_*", "switches passes or caches off"),
        ("unset", "TORCHINDUCTOR_*CACHE TORCHINDUCTOR_*CACHE_DEFAULT", "switches caches on or off"),
        ("unset", "TORCHINDUCTOR_REDIS_* TORCHINDUCTOR_DISTORT_*", "programs from elsewhere, false timings"),
        ("unset", "AOT_INDUCTOR_* AOTINDUCTOR_* AOT_PARTITIONER_* INDUCTOR_*", "reports and checks"),
        ("ignored", "TORCHINDUCTOR_CACHE_DIR TRITON_CACHE_DIR", "folders: workers have their own"),
        ("shown", "TORCHINDUCTOR_*", "torch.compile alone"),
        ("unset", "PYTORCH_JIT* PYTORCH_TENSOREXPR* PYTORCH_NVFUSER_*", "switches TorchScript off"),
        ("unset", "PYTORCH_FUSION_DEBUG ENABLE_PYTORCH_EXECUTION_TRACE* KINETO_*", "profiles torch"),
        ("unset", "PYTORCH_ENABLE_MPS_FALLBACK", "runs on the CPU what the device cannot"),
        (
            "unset",
            "TRITON_INTERPRET TRITON_*DEBUG* TRITON_*DUMP* TRITON_PRINT_*",
            "interprets, reports, checks",
        ),
        ("gpu", "TRITON_*", "Triton: torch.compile alone"),
        # --- JAX and XLA
        ("unset", "JAX_DISABLE_* JAX_NO_*", "switches jax.jit, optimizations or checks off"),
        ("unset", "JAX_DEBUG_* JAX_CHECK_* JAX_ENABLE_CHECKS JAX_MUTABLE_ARRAY_CHECKS", "checks of JAX"),
        (
            "unset",
            "JAX_ERROR_CHECKING_* JAX_EXPERIMENTAL_UNSAFE_* JAX_*_GUARD JAX_*_GUARD_*",
            "checks of JAX",
        ),
        (
            "unset",
            "JAX_TRACEBACK_* JAX_TRACER_* JAX_SEND_TRACEBACK_* JAX_INCLUDE_*",
            "more in its tracebacks",
        ),
        ("unset", "JAX_LOG* JAX_EXPLAIN_* JAX_DUMP_* JAX_CAPTURED_* JAX_DISTRIBUTED_DEBUG", "logs and dumps"),
        ("unset", "JAX_PALLAS_VERBOSE_* JAX_PALLAS_ENABLE_DEBUG_*", "reports and checks of Pallas"),
        ("unset", "JAX_ENABLE_PGLE JAX_PGLE_*", "profiles, and compiles again while timed"),
        (
            "unset",
            "JAX_ENABLE_X64 JAX_*_X64_* JAX_NUMPY_* JAX_DEFAULT_DTYPE_BITS",
            "the dtype: the task has it",
        ),
        ("unset", "JAX_DEFAULT_MATMUL_PRECISION", "how products round: the lane says it"),
        ("unset", "JAX_DEFAULT_DEVICE JAX_PLATFORM_NAME", "the device: --device says it"),
        ("unset", "JAX_RANDOM_SEED_OFFSET JAX_LEGACY_PRNG_KEY", "other random numbers, or refuses old keys"),
        ("ignored", "JAX_*COMPILATION_CACHE* JAX_*PERSISTENT_CACHE*", "that cache is off in workers"),
        ("recorded", "JAX_PLATFORMS JAX_COORDINATOR_* JAX_LOCAL_DEVICE_IDS", "chooses devices"),
        ("shown", "JAX_*", "JAX alone"),
        ("shown", "XLA_* LIBTPU_INIT_ARGS", "XLA: JAX's compiler and runtime"),
        ("unset", "TF_CPP_MAX_VLOG_LEVEL TF_CPP_VMODULE TF_CPP_VLOG_*", "logs of XLA"),
        ("recorded", "TF_CPP_MIN_LOG_LEVEL", "which warnings are printed"),
        ("shown", "TF_XLA_* TF_ENABLE_* TF_NUM_* TF_GPU_* TF_CUDNN_*", "XLA and TensorFlow"),
        (
            "unset",
            "NUMBA_DISABLE_* NUMBA_*DEBUG* NUMBA_DUMP_* NUMBA_*TRACE* NUMBA_BOUNDSCHECK",
            "no jit; checks",
        ),
        ("ignored", "NUMBA_CACHE_DIR", "a folder"),
        ("shown", "NUMBA_*", "Numba alone"),
        # --- lanes of other packages
        ("unset", "KERAS_MAX_* PL_TRAINER_*", "fewer epochs and steps, and arguments of Lightning's Trainer"),
        ("recorded", "KERAS_*", "Keras's backend and folder: a lane of Keras has its own"),
        ("shown", "SKLEARN_*", "scikit-learn alone"),
        # --- measuring from outside
        ("unset", "COVERAGE_* COV_CORE_*", "counts every line that Python runs"),
        ("unset", "PYTHONINSPECT PYTHONVERBOSE PYTHONDEBUG PYTHONMALLOCSTATS PYTHONDUMPREFS*", "reports"),
        # --- Python
        (
            "ignored",
            "PYTHONPATH PYTHONSAFEPATH PYTHONHASHSEED PYTHONHOME PYTHONEXECUTABLE",
            "where code lies",
        ),
        (
            "ignored",
            "PYTHONSTARTUP PYTHONNOUSERSITE PYTHONUSERBASE PYTHONPLATLIBDIR PYTHONCASEOK",
            "the same",
        ),
        ("ignored", "PYTHONUNBUFFERED PYTHONBREAKPOINT", "without effect on a worker"),
        (
            "ignored",
            "PYTHONIOENCODING PYTHONUTF8 PYTHONCOERCECLOCALE PYTHONLEGACYWINDOWS*",
            "how text is coded",
        ),
        ("recorded", "PYTHONWARNINGS PYTHONFAULTHANDLER PYTHONINTMAXSTRDIGITS", "warnings and limits"),
        (
            "recorded",
            "PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX",
            "where bytecode is kept: the time of imports",
        ),
        ("shown", "PYTHONTRACEMALLOC PYTHONMALLOC PYTHONDEVMODE PYTHONASYNCIODEBUG", PYTHON),
        ("shown", "PYTHONOPTIMIZE PYTHONPROFILEIMPORTTIME PYTHONPERFSUPPORT PYTHONNODEBUGRANGES", PYTHON),
        ("shown", "PYTHON_JIT PYTHON_GIL PYTHON_TLBC PYTHON_CPU_COUNT PYTHON_PERF_*", PYTHON),
        ("shown", "PYTHON_FROZEN_MODULES PYTHON_PRESITE PYTHON_THREAD_* PYTHON_CONTEXT_*", PYTHON),
        # --- numerical libraries
        ("shown", "OPENBLAS_* GOTO_NUM_THREADS", OPENBLAS),
        ("shown", "NPY_* NUMPY_*", "NumPy's loops and memory"),
        ("shown", "MKL_*", "MKL: PyTorch's matrix products on x86, and NumPy's where it is built with MKL"),
        ("shown", "ONEDNN_* DNNL_* MKLDNN_*", "oneDNN, within PyTorch and XLA"),
        (
            "ignored",
            "KMP_DUPLICATE_LIB_OK KMP_INIT_AT_FORK",
            "set by threadpoolctl and scikit-learn themselves",
        ),
        ("shown", "OMP_* KMP_* GOMP_*", OPENMP),
        ("shown", "ATEN_*", "PyTorch's kernels"),
        (
            "shown",
            "BLIS_* NVPL_* ARMPL_* VECLIB_* ACCELERATE_*",
            "a BLAS, where NumPy or PyTorch uses that one",
        ),
        ("shown", "NUMEXPR_* TBB_*", "threads of a library"),
        # --- the system
        ("shown", "MALLOC_* GLIBC_TUNABLES *MALLOC_CONF", ALLOCATOR),
        (
            "shown",
            "LD_PRELOAD LD_LIBRARY_PATH LD_BIND_NOW LD_AUDIT LD_DEBUG* LD_PROFILE* DYLD_*",
            "all libraries",
        ),
        ("shown", "CXX", "the C++ compiler of torch.compile"),
        # --- GPUs
        (
            "recorded",
            "CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_VERSION CUDA_*HOME CUDA_*PATH* CUDA_ROOT",
            "GPU",
        ),
        (
            "gpu",
            "CUDA_* CUBLAS* CUDNN_* NCCL_*",
            "CUDA and its libraries: the lanes on a GPU, each by its use",
        ),
        ("gpu", "NVIDIA_TF32_OVERRIDE", "how products on a GPU round; certificates see it"),
        ("recorded", "NVIDIA_VISIBLE_DEVICES", "which GPUs a container offers"),
        # --- the rest of PyTorch
        (
            "recorded",
            "TORCH_HOME TORCH_EXTENSIONS_DIR TORCH_CUDA_ARCH_LIST TORCHELASTIC_* TORCH_NCCL_*",
            "facts",
        ),
        ("shown", "TORCH* PYTORCH_*", "PyTorch alone"),
    )
    for pattern in patterns.split()
)


@cache
def rule(name: str) -> Rule | None:
    """The rule of a variable: the first that fits; None where it is of no known family."""
    return next((rule for rule in RULES if fnmatchcase(name, rule.pattern)), None)


def treatment(name: str) -> Treatment:
    """What becomes of a variable; those of no known family are ignored."""
    known = rule(name)
    return known.treatment if known else "ignored"


def for_workers(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that a worker may get, flags that change what is run taken out of the lists of flags."""
    passed = {name: value for name, value in variables.items() if treatment(name) != "unset"}
    for name in passed.keys() & FLAG_LISTS:
        passed[name] = " ".join(flag for flag in FLAGS.split(passed[name]) if not _is_unset(flag))
    return {name: value for name, value in passed.items() if value or name not in FLAG_LISTS}


def unset(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that no worker gets, as they are recorded; a flag stands under the name of its list."""
    left_out = {name: value for name, value in variables.items() if treatment(name) == "unset"}
    for name in variables.keys() & FLAG_LISTS:
        if flags := " ".join(flag for flag in FLAGS.split(variables[name]) if _is_unset(flag)):
            left_out[name] = flags
    return {name: recordable(name, value) for name, value in sorted(left_out.items())}


def recorded(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that reach workers and may change a run, with their values as they are recorded."""
    return {
        name: recordable(name, value)
        for name, value in sorted(for_workers(variables).items())
        if treatment(name) != "ignored" and value
    }


def disclosed(settings: Mapping[str, str], *, on_cpu: bool) -> dict[str, dict[str, str]]:
    """Those of recorded settings that readers are told of, with their values, by what they concern."""
    groups: dict[str, dict[str, str]] = {}
    for name, value in settings.items():
        known = rule(name)
        if known and (known.treatment == "shown" or (known.treatment == "gpu" and not on_cpu)):
            groups.setdefault(known.what, {})[name] = value
    return groups


def recordable(name: str, value: str) -> str:
    """A value without folders, addresses and secrets, of bounded length."""
    if PRIVATE.search(name):
        return "(not recorded)"
    flags = (re.split(r"([:;,=])", flag) for flag in FLAGS.split(value.strip()))
    # of each part what stands after its last slash
    text = " ".join("".join(re.split(r"[/\\]", part)[-1] for part in parts) for parts in flags)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _is_unset(flag: str) -> bool:
    return flag.strip().startswith(UNSET_FLAGS)
