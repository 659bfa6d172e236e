"""Programs of a port with parts replaced: the mistakes, and the rewritings that are none.

A mistake is a function in the place of a part of `Port` and takes the port first, as in
`one_function(buffer=averaged)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from samestep.backends.spec import Task
from samestep.benchmarks.parity import Certificate, certify

from .plain_port import Array, Arrays, Port
from .port_tasks import rows_of

Program: TypeAlias = Any  # one function, or two
Factory: TypeAlias = Callable[[Task], Program]


@dataclass(frozen=True)
class PortMutant:
    """One mistake: the causes that name it, its program, its task, and a pattern of what a fair sentence says."""

    named: str | tuple[str, ...]
    program: Factory
    task: Task
    says: str
    framework: str = "numpy"
    origin: str = "third"

    @property
    def causes(self) -> tuple[str, ...]:
        """The words of `Cause` that are right."""
        return (self.named,) if isinstance(self.named, str) else self.named

    def certificate(self) -> Certificate:
        """What the suite says of the port."""
        return certify(self.program(self.task), self.task, rows_of(self.task))

    def certificate_without_gradients(self) -> Certificate:
        """The same of one function, which shows neither gradients nor losses."""
        program = self.program(self.task)
        return certify(
            joined(*program) if isinstance(program, tuple) else program, self.task, rows_of(self.task)
        )


def joined(gradient: Any, update: Any) -> Program:
    """One function, the step, of the two that make it."""

    def step(params: Arrays, x: Array, y: Array, learning_rate: float) -> Arrays:
        copies = {name: value.copy() for name, value in params.items()}
        result: Arrays = update(params, gradient(copies, x, y)[1], learning_rate)
        return result

    return step


@dataclass(frozen=True)
class Rewriting:
    """Another way of writing the same step, and the task that it is written for."""

    program: Factory
    task: Task

    def certificate(self) -> Certificate:
        """What the suite says of the port."""
        return certify(self.program(self.task), self.task, rows_of(self.task))


def port_of(task: Task, parts: Mapping[str, Any]) -> Port:
    """The port of a task with some parts replaced."""
    altered: type[Port] = type("Altered", (Port,), dict(parts))
    return altered(task)


def one_function(**parts: Any) -> Factory:
    """Programs of one function, the step."""

    def program(task: Task) -> Program:
        port = port_of(task, parts)

        def step(params: Arrays, x: Array, y: Array, learning_rate: float) -> Arrays:
            port.meet(x)
            return port.step(params, x, y, learning_rate)

        return step

    return program


def two_functions(**parts: Any) -> Factory:
    """Programs of two functions, gradient and update."""

    def program(task: Task) -> Program:
        port = port_of(task, parts)

        def gradient(params: Arrays, x: Array, y: Array) -> tuple[Any, Arrays]:
            port.meet(x)
            return port.gradient(params, x, y)

        return gradient, port.update

    return program
