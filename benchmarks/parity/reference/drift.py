"""How far correct runs can drift apart, where that can be said: the one bound that follows a run along.

A step moves two runs that are eps apart to within ||A|| eps + 2 ||tau||, with A the derivative of the step. For
one Linear layer with MSE and no momentum A = (1 - h decay) I - (2h/N) Z^T Z, Z = [X 1], exactly; elsewhere a step
is taken not to enlarge a distance (||A|| = 1), which holds for a convex loss at a stable learning rate and is no
theorem for deep chains, kinks and momentum.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from samestep.backends.interface import Host
from samestep.backends.spec import Linear

from ...record.proof import Overall
from ..workload import ScheduledBatch, Workload
from .arithmetic import Array, narrow
from .bounds import Errors
from .step import Arrays, Reference, ReferenceStep

MOST_FEATURES = 256  # an eigenvalue problem of this size at every step is still cheap
MEANS_SOMETHING = 1e-3  # of the parameters' norm: beyond it the propagated bound says nothing
MOST_SOLVED = 1e8  # n d^2 of a least-squares problem that is solved in passing


class Drift:
    """Follows a run: `allowances[t]` is what two correct runs may be apart after step t + 1."""

    def __init__(self, workload: Workload, reference: Reference) -> None:
        self.workload, self.reference = workload, reference
        task = workload.task
        layer, sgd = task.layers[0], task.optimizer
        plain_sgd = not sgd.momentum and not sgd.maximize
        linear = len(task.layers) == 1 and task.loss.name == "mse" and plain_sgd
        self.contracts = linear and isinstance(layer, Linear) and layer.in_features <= MOST_FEATURES
        self.allowances: list[float] = []
        self.tau_ratios: list[float] = []
        self.reference_run = reference.widen(workload.start)
        self.recorded: Arrays = self.reference_run
        self.eps, self.largest_ratio, self.meaningful = 0.0, 0.0, self.contracts

    @property
    def resolution(self) -> float | None:
        """Median over the steps of ||tau|| over the length of the step."""
        return float(np.median(self.tau_ratios)) if self.tau_ratios else None

    def add(
        self,
        batch: ScheduledBatch,
        before: Arrays,
        step: ReferenceStep,
        errors: Errors,
        after: Mapping[str, Host],
    ) -> None:
        """Follow one more step, from `before` to the recorded `after`."""
        tau, moved = norm(errors.params), distance(step.params, before)
        self.tau_ratios.append(tau / moved if moved else np.inf if tau else 0.0)
        growth = self.growth(batch) if self.contracts else 1.0
        first = not self.allowances
        self.allowances.append(growth * (0.0 if first else self.allowances[-1]) + 2 * tau)
        if not self.meaningful:
            return
        self.recorded = self.reference.widen(after)
        self.reference_run = self.reference.step(
            self.reference_run, {}, batch.x, batch.y, batch.learning_rate, first=first
        ).params
        self.eps = growth * self.eps + tau
        self.largest_ratio = max(self.largest_ratio, distance(self.recorded, self.reference_run) / self.eps)
        self.meaningful = self.eps < MEANS_SOMETHING * norm(self.reference_run)

    def growth(self, batch: ScheduledBatch) -> float:
        """||(1 - h decay) I - (2h/N) Z^T Z||_2, from the eigenvalues of Z^T Z."""
        z = np.column_stack([narrow(batch.x), np.ones(len(batch.x))])
        outputs = batch.y.shape[1]
        divisor = len(z) * outputs if self.reference.loss.reduction == "mean" else 1
        rate = batch.learning_rate
        eigenvalues = np.linalg.eigvalsh(z.T @ z)
        factors = 1 - rate * float(self.reference.sgd.weight_decay) - 2 * rate / divisor * eigenvalues
        return float(abs(factors).max())

    def overall(self) -> Overall | None:
        """The distance from the reference's own run, where the propagated bound means something."""
        if not self.meaningful:
            return None
        far, size = distance(self.recorded, self.reference_run), norm(self.reference_run)
        ulp = float(np.spacing(np.asarray(size, dtype=self.workload.task.dtype)))
        return Overall(
            distance=far,
            bound=self.eps,
            share=self.largest_ratio,
            ulps=far / ulp,
            to_solution=self.to_solution(),
        )

    def to_solution(self) -> float | None:
        """Distance from the exact least-squares solution of the whole data; None under weight decay."""
        x, y = narrow(self.workload.x), narrow(self.workload.y)
        if self.workload.task.optimizer.weight_decay or x.size * x.shape[1] > MOST_SOLVED:
            return None
        solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
        weight, bias = (narrow(self.recorded[f"0.{name}"]) for name in ("weight", "bias"))
        return float(np.linalg.norm(np.vstack([weight, bias]) - solution))


def norm(arrays: Mapping[str, Array]) -> float:
    """Euclidean norm of all arrays together."""
    return float(np.sqrt(sum(float(np.square(narrow(array)).sum()) for array in arrays.values())))


def distance(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """Euclidean distance of two sets of arrays; differences are taken before anything is narrowed."""
    return norm({name: first[name] - second[name] for name in first})


def exact_distance(first: Mapping[str, Host], second: Mapping[str, Host]) -> float:
    """Euclidean distance of narrow arrays, subtracted in the widest precision there is: nothing is lost."""
    wide = ({name: value.astype(np.longdouble) for name, value in side.items()} for side in (first, second))
    return distance(*wide)
