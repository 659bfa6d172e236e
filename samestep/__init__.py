"""The same training step in NumPy, PyTorch and JAX: proven the same, then timed.

    import samestep

    result = samestep.compare(tasks=["lesson"], lanes=["numpy", "torch", "jax:fused"])
    result["lesson", "jax:fused"].ratio
    samestep.assert_same_step(my_step, samestep.tasks.get("lesson"), (x, y))

Each name is imported when it is first used, so that importing this package imports no framework, nor NumPy.
"""

TYPE_CHECKING = False  # not from typing: nothing is imported before `__main__` has cleared the path

if TYPE_CHECKING:
    from samestep.backends.interface import Backend as Backend
    from samestep.backends.interface import Trace as Trace
    from samestep.backends.interface import Traits as Traits
    from samestep.backends.spec import SGD as SGD
    from samestep.backends.spec import Constant as Constant
    from samestep.backends.spec import ConstantRate as ConstantRate
    from samestep.backends.spec import Cosine as Cosine
    from samestep.backends.spec import File as File
    from samestep.backends.spec import Initialization as Initialization
    from samestep.backends.spec import Kaiming as Kaiming
    from samestep.backends.spec import LeakyReLU as LeakyReLU
    from samestep.backends.spec import Linear as Linear
    from samestep.backends.spec import Loss as Loss
    from samestep.backends.spec import Normal as Normal
    from samestep.backends.spec import Packaged as Packaged
    from samestep.backends.spec import ReLU as ReLU
    from samestep.backends.spec import Sigmoid as Sigmoid
    from samestep.backends.spec import StepDecay as StepDecay
    from samestep.backends.spec import Synthetic as Synthetic
    from samestep.backends.spec import Tanh as Tanh
    from samestep.backends.spec import Task as Task
    from samestep.backends.spec import TruncatedNormal as TruncatedNormal
    from samestep.backends.spec import Uniform as Uniform
    from samestep.backends.spec import Xavier as Xavier
    from samestep.benchmarks import datasets as datasets
    from samestep.benchmarks import tasks as tasks
    from samestep.benchmarks.accuracy.scores import least_squares as least_squares
    from samestep.benchmarks.analysis import RecordAnalysis as RecordAnalysis
    from samestep.benchmarks.console.errors import InputError as InputError
    from samestep.benchmarks.datasets import Split as Split
    from samestep.benchmarks.parity import Certificate as Certificate
    from samestep.benchmarks.parity import Rows as Rows
    from samestep.benchmarks.parity import assert_same_step as assert_same_step
    from samestep.benchmarks.parity import certify as certify
    from samestep.benchmarks.parity import export as export
    from samestep.benchmarks.parity import final_distance as final_distance
    from samestep.benchmarks.parity import initial_parameters as initial_parameters
    from samestep.benchmarks.record import Record as Record
    from samestep.comparison import compare as compare
    from samestep.result import Result as Result
    from samestep.result import load as load

    __version__: str

_SPEC = """
    SGD Constant ConstantRate Cosine File Initialization Kaiming LeakyReLU Linear Loss Normal Packaged ReLU
    Sigmoid StepDecay Synthetic Tanh Task TruncatedNormal Uniform Xavier
"""
_PARITY = "Certificate Rows assert_same_step certify export final_distance initial_parameters"
_HOMES = {  # where each name is defined
    "samestep.backends.interface": "Backend Trace Traits",
    "samestep.backends.spec": _SPEC,
    "samestep.benchmarks": "datasets tasks",
    "samestep.benchmarks.accuracy.scores": "least_squares",
    "samestep.benchmarks.analysis": "RecordAnalysis",
    "samestep.benchmarks.console.errors": "InputError",
    "samestep.benchmarks.datasets": "Split",
    "samestep.benchmarks.parity": _PARITY,
    "samestep.benchmarks.record": "Record",
    "samestep.comparison": "compare",
    "samestep.result": "Result load",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = [*sorted(_HOME_OF)]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return import_module("importlib.metadata").version("samestep")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOME_OF[name])
    value = getattr(home, name, None) or import_module(f"{home.__name__}.{name}")  # or a module of its own
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__", "backends", "benchmarks"]
