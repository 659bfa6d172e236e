"""What a mutant is: a documented lane with some methods replaced, a task to certify it on, the right answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from samestep import backends
from samestep.backends.interface import Backend, Trace
from samestep.backends.spec import Task
from samestep.benchmarks import datasets
from samestep.benchmarks.parity import Certificate, certify
from samestep.benchmarks.record.proof import Cause

from .small_tasks import PLAIN

Origin: TypeAlias = Literal["foreseen", "first", "second"]
Method: TypeAlias = Callable[..., Any]
# By name; each takes the object, the method that it replaces (bound), and then that method's arguments.
Methods: TypeAlias = Mapping[str, Method]


@dataclass(frozen=True)
class Mutant:
    """One realistic mistake, and the cause that the doctor should name.

    `says`: a pattern that the doctor's sentence must hold, too, for a right answer.
    `origin`: written with the doctor in mind, or by somebody who did not know it, before it was finished
    ("first") or after ("second").
    """

    cause: Cause
    methods: Methods
    task: Task = PLAIN
    says: str = ""
    framework: str = "numpy"
    origin: Origin = "foreseen"

    @property
    def causes(self) -> tuple[str, ...]:
        """The words that are right."""
        return (self.cause,)

    def certificate(self) -> Certificate:
        """What the suite says of the lane."""
        return certify(self.lane(), self.task, datasets.load(self.task.dataset))

    def certificate_without_gradients(self) -> Certificate:
        """The same of a lane whose trace shows no gradients."""
        lane: Backend = replaced(type(self.lane()), {"trace": trace_without_gradients})()
        return certify(lane, self.task, datasets.load(self.task.dataset))

    def lane(self) -> Backend:
        """A fresh backend that makes the mistake."""
        made: Backend = replaced(backends.lane_class(self.framework), self.methods)()
        return made


def trace_without_gradients(lane: Backend, trace: Method, *given: Any) -> tuple[Any, Trace]:
    """A trace of losses, parameters and buffers alone."""
    state, shown = trace(*given)
    return state, replace(shown, gradients={})


def replaced(kind: type, methods: Methods) -> type[Any]:
    """A subclass in which each of these methods is replaced.

    Raises:
        AttributeError: the class has no such method.
    """

    def override(name: str, method: Method) -> Method:
        getattr(kind, name)  # raises where there is no such method
        return lambda self, *args, **options: method(self, getattr(super(made, self), name), *args, **options)

    made = type(kind.__name__, (kind,), {name: override(name, method) for name, method in methods.items()})
    return made
