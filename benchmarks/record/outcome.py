"""How good training was: final figures, and a learning curve."""

from __future__ import annotations

from samestep.backends.spec import Count, Number, Spec


class Accuracy(Spec):
    """What a run reached. A figure that the task does not have is None.

    Attributes:
        loss: the task's own loss per example (reduction mean) on all training rows.
        best_loss: that of the exact least-squares solution with intercept.
        excess: loss - best_loss, which is never negative.
        no_excess: why there is no excess, where there is none.
        r_squared: 1 - residual / total sum of squares on the held-out rows (regression).
        held_out_accuracy: the part of the held-out rows whose class is right (classification).
        loss_original_units: `loss` in the target's own units, squared (mse).
        rmse_original_units: root mean squared error on the training rows in the target's own units (regression).
        parameter_error: largest distance of a weight or bias from the truth (synthetic data, one Linear layer).
    """

    loss: Number
    best_loss: Number | None = None
    excess: Number | None = None
    no_excess: str | None = None
    r_squared: Number | None = None
    held_out_accuracy: Number | None = None
    loss_original_units: Number | None = None
    rmse_original_units: Number | None = None
    parameter_error: Number | None = None


class Point(Spec):
    """After `step` steps: the loss on all training rows, and by how much it is above the exact solution's.

    `excess` is None where no exact solution is known. Both as in `benchmarks.accuracy.Accuracy`.
    """

    step: Count
    loss: Number
    excess: Number | None = None
