"""How far one correct step in the task's dtype may land from the reference: a bound for every component.

Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 3.3): every value of the
reference step travels with the error that correct arithmetic can have made by then, in any order of summation,
fused or not. For one Linear layer, with c the Lipschitz constant of the loss's derivative, Z = [X 1], mean
reduction and learning rate h this is

    residual          r   = gamma_{d+2} (|Z||theta| + |y|)
    gradient          dg  = (c/B) |Z|^T (r + gamma_{B+3} |e|)
    parameters        tau = 2u |theta_next| + h (1+2u) dg + 2u h |g|

(where c = 1/beta is no exact number gamma_{B+4} takes the place of gamma_{B+3}), and terms of second order.
Deeper down, an error passes a Linear layer through |W| and an activation through its derivative. Where a value
lies nearer to a kink than its own error, either side's derivative is allowed. In the first layer d and B count
only what is not exactly zero, since adding zero rounds nothing. Where the inputs of products are declared to be
rounded to TF32 first, v = 2^-11, every term of a matrix product is off by 2v + v^2 of itself besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from samestep.backends import spec

from .arithmetic import FUNCTION, Arithmetic, Array, Sum, narrow
from .elementwise_losses import BinaryCrossEntropy
from .step import Arrays, Magnitudes, Reference, ReferenceStep, activation_derivative

SPARE = 4  # another order of summation may meet numbers a few times as large as the reference's


@dataclass(frozen=True)
class Errors:
    """Bounds for one step, float64, shaped as what they bound; `overflows`: a correct program may do so too."""

    prediction: Array
    loss: float
    gradients: Arrays
    buffers: Arrays
    params: Arrays
    overflows: bool


class Bounds:
    """The error analysis of one reference step; `reach` is the largest magnitude that it met."""

    def __init__(
        self, reference: Reference, arithmetic: Arithmetic, step: ReferenceStep, magnitudes: Magnitudes
    ) -> None:
        self.reference, self.arithmetic, self.step, self.magnitudes = reference, arithmetic, step, magnitudes
        self.reach = 0.0

    def errors(self, carried: Mapping[str, Array], learning_rate: float, *, first: bool) -> Errors:
        """All bounds; `carried` are errors of the momentum buffers before the step, none where recorded."""
        prediction, errors = self.forward()
        self.track_reach(self.reference.loss.largest(self.step.values[-1], self.step.target))
        value, derivative = self.reference.loss.errors(prediction, self.step.target)
        loss = self.reduced(value)
        gradients = self.backward(errors, *self.top(prediction, derivative))
        buffers, params = self.optimize(gradients, carried, learning_rate, first=first)
        return Errors(prediction.error, loss, gradients, buffers, params, self.overflows)

    def track_reach(self, magnitude: Array) -> Array:
        """Remember the largest magnitude: past the dtype's range a correct program overflows."""
        largest = float(magnitude.max(initial=0.0))
        self.reach = max(self.reach, largest if np.isfinite(largest) else np.inf)
        return magnitude

    @property
    def overflows(self) -> bool:
        """Whether correct arithmetic can leave the dtype's range."""
        return not self.reach * SPARE < self.arithmetic.largest

    # --- forward

    def forward(self) -> tuple[Sum, list[Array]]:
        """The prediction, and the error of every layer's input."""
        values, sizes, arithmetic = self.step.values, self.magnitudes.values, self.arithmetic
        total, errors = Sum(arithmetic, values[0], self.magnitudes.lost_input, sizes[0], 0), []
        for index, layer in enumerate(self.reference.layers):
            errors.append(error := total.error)
            if isinstance(layer, spec.Linear):
                total = self.linear(index, error)
            else:
                error = self.activation(index, error)
                total = Sum(arithmetic, values[index + 1], error, sizes[index + 1], 0)
        return total, errors

    def linear(self, index: int, error: Array) -> Sum:
        """z = a W + b: the sum of d products and b carries |da| |W| and what was flushed from W and b."""
        magnitudes, name, exact = self.magnitudes, f"{index}.weight", not error.any()
        a, weight = magnitudes.values[index], magnitudes.params[name]
        bias = magnitudes.params[f"{index}.bias"]
        a = a if exact else a + error
        carried = np.zeros((len(a), len(bias))) if exact else np.broadcast_to(error, a.shape) @ weight
        lost, lost_bias = magnitudes.lost[name], magnitudes.lost[f"{index}.bias"]
        if lost.any() or lost_bias.any():
            carried = carried + a @ np.broadcast_to(lost, weight.shape) + lost_bias
        count = 1 + (a.shape[1] if index else magnitudes.terms[0])
        products = magnitudes.first if exact and not index else a @ weight
        if input_error := self.arithmetic.input_error:
            carried, products = carried + input_error * products, products * (1 + input_error)
        magnitude = self.track_reach(products + bias)
        return Sum(self.arithmetic, self.step.values[index + 1], carried, magnitude, count)

    def activation(self, index: int, error: Array) -> Array:
        """Error of f(z + dz): the steepest derivative near z times dz, and the function's own rounding.

        |(log s')'| <= 1 for the logistic function and |(log tanh')'| <= 2, so that nearby derivatives are at most
        exp(dz) and exp(2 dz) times the one at z.
        """
        layer, z, value = self.reference.layers[index], self.step.values[index], self.step.values[index + 1]
        size = self.magnitudes.values[index + 1]
        match layer:
            case spec.ReLU():
                return np.where(narrow(z) > -error, error, 0.0)
            case spec.LeakyReLU(negative_slope=below):
                steepest = np.where(narrow(z) > -error, max(1.0, abs(below)), abs(below))
                return steepest * error + np.where(size > 0, self.arithmetic.rounding(1, size + error), 0.0)
        growth, largest, span = (1, 1 / 4, 1.0) if isinstance(layer, spec.Sigmoid) else (2, 1, 2.0)
        derivative = narrow(activation_derivative(layer, z, value, self.reference.round))
        derivative = np.minimum(derivative * np.exp(np.minimum(growth * error, 2.0)), largest)
        rounding = np.where(size > 0, self.arithmetic.rounding(FUNCTION, size), 0.0)
        # an error past all curvature moves the value by the function's whole span at most
        return np.where(growth * error > 2, span, derivative * error) + rounding

    # --- loss

    def reduced(self, error: Array) -> float:
        """Error of the loss: the sum of its terms over its divisor."""
        terms = self.step.terms
        total = float(self.track_reach(np.asarray(narrow(abs(terms.value)).sum() + error.sum())))
        rounded = self.arithmetic.rounding(error.size + terms.roundings, total)
        return float((error.sum() + rounded) / narrow(terms.divisor) + self.arithmetic.tiny)

    def top(self, prediction: Sum, derivative: Array) -> tuple[int, Array]:
        """The last layer and the error of the gradient at its output: that of the derivative, and of the divisor.

        A last Sigmoid under binary cross entropy is taken together with it, one layer further down.
        """
        loss, terms, last = self.reference.loss, self.step.terms, len(self.reference.layers) - 1
        size, divisor = narrow(abs(terms.derivative)), narrow(terms.divisor)
        if isinstance(loss, BinaryCrossEntropy) and isinstance(self.reference.layers[-1], spec.Sigmoid):
            derivative, last = loss.error_through_sigmoid(prediction, self.step.target), last - 1
            size = self.magnitudes.deltas[last] * divisor
        self.track_reach(size)
        rounded = self.arithmetic.rounding(terms.roundings, size + derivative)
        return last, (derivative + rounded) / divisor + self.arithmetic.tiny

    # --- backward

    def backward(self, inputs: list[Array], index: int, error: Array) -> Arrays:
        """Errors of all gradients, from those of the layers' inputs and of the delta of layer `index`."""
        gradients: Arrays = {}
        while index >= 0:
            layer, delta = self.reference.layers[index], self.magnitudes.deltas[index]
            if isinstance(layer, spec.Linear):
                weight, bias = self.weights(index, inputs[index], delta, error)
                gradients |= {f"{index}.weight": weight, f"{index}.bias": bias}
            if index:
                if isinstance(layer, spec.Linear):
                    error = self.through_linear(index, delta, error)
                else:
                    error = self.through_activation(index, inputs[index], delta, error)
            index -= 1
        return {name: gradients[name] for name in self.magnitudes.params}

    def weights(self, index: int, input_error: Array, delta: Array, error: Array) -> tuple[Array, Array]:
        """Errors of dW = a^T delta and db: sums over the rows."""
        a, whole, exact = self.magnitudes.values[index], delta + error, not input_error.any()
        rows = len(a) if index else self.magnitudes.terms[1]
        added = error + self.arithmetic.product(rows) * whole
        size = a if exact else a + input_error
        magnitude, weight = np.hsplit(size.T @ np.hstack([whole, added]), 2)  # one pass over the data
        self.track_reach(magnitude)
        if not exact:
            weight = weight + np.broadcast_to(input_error, a.shape).T @ delta
        bias = error.sum(axis=0) + self.arithmetic.rounding(len(a), whole.sum(axis=0))
        return weight + rows * self.arithmetic.tiny, bias

    def through_linear(self, index: int, delta: Array, error: Array) -> Array:
        """Error of delta W^T: a sum over the outputs."""
        name, whole = f"{index}.weight", delta + error
        weight, lost = self.magnitudes.params[name], self.magnitudes.lost[name]
        carried = error @ weight.T
        if lost.any():
            carried = carried + whole @ lost.T
        count = weight.shape[1]
        return carried + self.arithmetic.product(count) * (whole @ weight.T) + count * self.arithmetic.tiny

    def through_activation(self, index: int, input_error: Array, delta: Array, error: Array) -> Array:
        """Error of delta f'(z): f' is off by its own error; by its whole jump if a kink lies within that of z."""
        layer, z, value = self.reference.layers[index], self.step.values[index], self.step.values[index + 1]
        derivative = narrow(abs(activation_derivative(layer, z, value, self.reference.round)))
        size = self.magnitudes.values[index + 1]
        match layer:
            case spec.ReLU() | spec.LeakyReLU():
                jump = abs(1 - getattr(layer, "negative_slope", 0.0))
                off = np.where((narrow(abs(z)) <= input_error) & (input_error > 0), jump, 0.0)
            case spec.Sigmoid():  # s' = s (1 - s) moves by (1 - 2 s) ds - ds^2
                moved = self.activation(index, input_error)
                off = abs(1 - 2 * size) * moved + moved**2 + self.arithmetic.rounding(3, size)
            case _:  # tanh' = 1 - t^2 moves by -2 t dt - dt^2
                moved = self.activation(index, input_error)
                off = 2 * size * moved + moved**2 + self.arithmetic.rounding(3, 1.0)
        steepest = derivative + off
        return steepest * error + off * delta + self.arithmetic.rounding(1, steepest * (delta + error))

    # --- optimizer

    def optimize(
        self, gradients: Arrays, carried: Mapping[str, Array], learning_rate: float, *, first: bool
    ) -> tuple[Arrays, Arrays]:
        """Errors of buffers and parameters; a buffer that was not recorded carries its own error on."""
        c, step, rounding = self.reference.sgd, self.step, self.arithmetic.rounding
        momentum, decay = float(c.momentum), abs(float(c.weight_decay))
        unit, rate = self.arithmetic.unit, abs(learning_rate)
        buffers, params = {}, {}
        for name, error in gradients.items():
            theta, g = self.magnitudes.params[name], narrow(abs(step.gradients[name]))
            if decay:  # g + decay theta
                error = error + rounding(2, g + error + decay * theta)
                g = g + decay * theta
            if momentum:
                buffers[name] = error if first else self.buffer(name, g, error, carried.get(name, 0.0))
                b = narrow(abs(step.buffers[name]))
                ahead = rounding(2, g + error + momentum * (b + buffers[name]))
                error = error + momentum * buffers[name] + ahead if c.nesterov else buffers[name]
            d, moved = narrow(abs(step.directions[name])), narrow(abs(step.params[name]))
            self.track_reach(moved + d)
            # tau = 2u |theta_next| + h (1+2u) dg + 2u h |g|, and what flushing to zero may take
            tau = 2 * unit * moved + rate * (1 + 2 * unit) * error + 2 * unit * rate * d
            tau = tau + 4 * self.arithmetic.tiny
            params[name] = tau + (2 * unit * theta if decay else 0.0)
        return buffers, params

    def buffer(self, name: str, g: Array, error: Array, carried: Array) -> Array:
        """Error of momentum b + (1 - dampening) g, where g is off by `error` and b by `carried`."""
        c, rounding = self.reference.sgd, self.arithmetic.rounding
        momentum, gain = float(c.momentum), abs(float(1 - c.dampening))
        # 1 - dampening is rounded itself: off by u (|dampening| + |1 - dampening|)
        coefficient = self.arithmetic.unit * (abs(float(c.dampening)) + gain) if c.dampening else 0.0
        previous = momentum * narrow(abs(self.step.previous[name]))
        bound = momentum * carried + gain * error + coefficient * (g + error)
        return bound + rounding(3, previous + momentum * carried + gain * (g + error))
