"""Many steps of one linear layer from one chunk of gathered rows: what the fused NumPy lane runs.

With Z = [x 1], theta = [W; b] and e = Z theta - y, a step of plain SGD on the squared error of B numbers is

    theta <- theta - (2 h / B) Z^T e.

The chunk holds Z and (2 h / B) Z^T of every step, so a step is a product, a difference, a product and a difference;
the gradient by itself is never formed.
"""

from __future__ import annotations

import numpy as np

from .interface import Batch, Host, RowOrder
from .numpy_backend import Floats

CHUNK_BYTES = 1 << 18  # of all arrays of a chunk: they stay in a core's own cache from the gather to the last step
LEAST_STEPS = 8  # in a chunk: with fewer, what a step does outweighs the calls that it saves


def most_steps(data: Batch, batch_size: int) -> int:
    """Steps whose chunk fits CHUNK_BYTES; 0 where they are too few to gain by it."""
    x, y = data
    features, outputs = x.shape[1] + 1, y.shape[1]
    numbers = batch_size * (x.shape[1] + 2 * features + 2 * outputs) + features * outputs
    steps: int = CHUNK_BYTES // (numbers * x.itemsize)
    return steps if steps >= LEAST_STEPS else 0


class Chunk:
    """The arrays of so many steps of one size, made once, and the calls that a step makes on them."""

    def __init__(self, steps: int, batch_size: int, x: Floats, y: Floats) -> None:
        features, outputs = x.shape[1] + 1, y.shape[1]
        self.gathered = np.empty((steps * batch_size, x.shape[1]), x.dtype)
        self.rows = np.ones((steps, batch_size, features), x.dtype)  # Z
        self.scaled = np.empty((steps, features, batch_size), x.dtype)  # (2 h / B) Z^T
        self.targets = np.empty((steps, batch_size, outputs), y.dtype)
        self.errors = np.empty_like(self.targets)
        self.thetas = np.empty((steps + 1, features, outputs), x.dtype)  # before the first step, and after each
        self.change = np.empty((features, outputs), x.dtype)
        forward, back = ([array.dot for array in arrays] for arrays in (self.rows, self.scaled))
        self.calls = list(
            zip(forward, back, self.targets, self.errors, self.thetas[:-1], self.thetas[1:], strict=True)
        )

    def fill(self, data: Batch, rows: RowOrder, factors: Host) -> None:
        """Gather the rows of as many steps as there are factors 2 h / B."""
        (x, y), steps, count = data, len(factors), len(rows)
        Z = self.rows[:steps]
        Z[:, :, :-1] = x.take(rows, 0, self.gathered[:count], "clip").reshape(steps, -1, x.shape[1])
        y.take(rows, 0, self.targets.reshape(-1, y.shape[1])[:count], "clip")
        np.multiply(Z.transpose(0, 2, 1), factors[:, None, None], self.scaled[:steps])

    def run(self, theta: Floats, steps: int) -> tuple[Floats, Floats]:
        """Take the steps from theta: the sum of squared errors (steps,) and theta after each (steps, in + 1, out)."""
        subtract, change = np.subtract, self.change
        self.thetas[0] = theta
        for forward, back, target, error, before, after in self.calls[:steps]:
            forward(before, error)
            subtract(error, target, error)
            back(error, change)
            subtract(before, change, after)
        errors = self.errors[:steps]
        return np.einsum("tij,tij->t", errors, errors), self.thetas[1 : steps + 1]
