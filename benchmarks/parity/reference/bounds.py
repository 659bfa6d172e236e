"""How far one correct step in the task's dtype may land from the reference: a bound for every component.

Running error analysis: every value of the reference step travels with the error that correct arithmetic can have
made by then, in any order of summation, fused or not. For one Linear layer with loss slope c, Z = [X 1], mean
reduction and learning rate h this is

    residual          r   = gamma_{d+2} (|Z||theta| + |y|)
    gradient          dg  = (c/B) |Z|^T (r + gamma_{B+3} |e|)
    parameters        tau = 2u |theta_next| + h (1+2u) dg + 2u h |g|

(where c = 1/beta is no exact number gamma_{B+4} takes the place of gamma_{B+3}), and terms of second order.
Deeper down, an error passes a Linear layer through |W| and an activation through its slope. Where a value lies
nearer to a kink than its own error, either side's derivative is allowed. In the first layer d and B count only
what is not exactly zero, since adding zero rounds nothing. Where the inputs of products are declared to be
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
    """The error analysis of one reference step."""

    def __init__(
        self, reference: Reference, arithmetic: Arithmetic, step: ReferenceStep, sizes: Magnitudes
    ) -> None:
        self.reference, self.arithmetic, self.step, self.sizes = reference, arithmetic, step, sizes
        self.reach = 0.0

    def errors(self, carried: Mapping[str, Array], learning_rate: float, *, first: bool) -> Errors:
        """All bounds; `carried` are errors of the momentum buffers before the step, none where recorded."""
        prediction, errors = self.forward()
        self.saw(self.reference.loss.largest(self.step.values[-1], self.step.target))
        value, derivative = self.reference.loss.errors(prediction, self.step.target)
        loss = self.reduced(value)
        gradients = self.backward(errors, *self.top(prediction, derivative))
        buffers, params = self.optimize(gradients, carried, learning_rate, first=first)
        return Errors(prediction.error, loss, gradients, buffers, params, self.overflows)

    def saw(self, magnitude: Array) -> Array:
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
        values, arithmetic = self.step.values, self.arithmetic
        total, errors = Sum(arithmetic, values[0], self.sizes.lost_input, self.sizes.values[0], 0), []
        for index, layer in enumerate(self.reference.layers):
            errors.append(error := total.error)
            if isinstance(layer, spec.Linear):
                total = self.linear(index, error)
            else:
                error = self.activation(index, error)
                total = Sum(arithmetic, values[index + 1], error, self.sizes.values[index + 1], 0)
        return total, errors

    def linear(self, index: int, error: Array) -> Sum:
        """z = a W + b: the sum of d products and b carries |da| |W| and what was flushed from W and b."""
        sizes, name, exact = self.sizes, f"{index}.weight", not error.any()
        a, weight, bias = sizes.values[index], sizes.params[name], sizes.params[f"{index}.bias"]
        a = a if exact else a + error
        carried = np.zeros((len(a), len(bias))) if exact else np.broadcast_to(error, a.shape) @ weight
        lost, lost_bias = sizes.lost[name], sizes.lost[f"{index}.bias"]
        if lost.any() or lost_bias.any():
            carried = carried + a @ np.broadcast_to(lost, weight.shape) + lost_bias
        count = 1 + (a.shape[1] if index else sizes.terms[0])
        matmul_precision = sizes.first if exact and not index else a @ weight
        if inputs := self.arithmetic.inputs:
            carried, matmul_precision = carried + inputs * matmul_precision, matmul_precision * (1 + inputs)
        magnitude = self.saw(matmul_precision + bias)
        return Sum(self.arithmetic, self.step.values[index + 1], carried, magnitude, count)

    def activation(self, index: int, error: Array) -> Array:
        """Error of f(z + dz): the largest slope near z times dz, and the function's own rounding.

        |log s'| and |log tanh'| have slopes of at most 1 and 2, so nearby slopes are at most exp(dz), exp(2 dz)
        times the one at z.
        """
        layer, z, value = self.reference.layers[index], self.step.values[index], self.step.values[index + 1]
        size = self.sizes.values[index + 1]
        match layer:
            case spec.ReLU():
                return np.where(narrow(z) > -error, error, 0.0)
            case spec.LeakyReLU(negative_slope=below):
                steepest = np.where(narrow(z) > -error, max(1.0, abs(below)), abs(below))
                return steepest * error + np.where(size > 0, self.arithmetic.rounding(1, size + error), 0.0)
        rate = 1 if isinstance(layer, spec.Sigmoid) else 2
        derivative = narrow(activation_derivative(layer, z, value, self.reference.round))
        derivative = np.minimum(derivative * np.exp(np.minimum(rate * error, 2.0)), 1 / 4 if rate == 1 else 1)
        rounding = np.where(size > 0, self.arithmetic.rounding(FUNCTION, size), 0.0)
        return np.where(rate * error > 2, 1.0 if rate == 1 else 2.0, derivative * error) + rounding

    # --- loss

    def reduced(self, error: Array) -> float:
        """The sum of the loss's terms over its divisor."""
        terms = self.step.terms
        total = float(self.saw(np.asarray(narrow(abs(terms.value)).sum() + error.sum())))
        rounded = self.arithmetic.rounding(error.size + terms.roundings, total)
        return float((error.sum() + rounded) / narrow(terms.divisor) + self.arithmetic.tiny)

    def top(self, prediction: Sum, derivative: Array) -> tuple[int, Array]:
        """The last layer and the error of the gradient at its output: that of the slope, and of the divisor.

        A last Sigmoid under binary cross entropy is taken together with it, one layer further down.
        """
        loss, terms, last = self.reference.loss, self.step.terms, len(self.reference.layers) - 1
        size, divisor = narrow(abs(terms.derivative)), narrow(terms.divisor)
        if isinstance(loss, BinaryCrossEntropy) and isinstance(self.reference.layers[-1], spec.Sigmoid):
            derivative, last = loss.error_through_sigmoid(prediction, self.step.target), last - 1
            size = self.sizes.deltas[last] * divisor
        self.saw(size)
        rounded = self.arithmetic.rounding(terms.roundings, size + derivative)
        return last, (derivative + rounded) / divisor + self.arithmetic.tiny

    # --- backward

    def backward(self, inputs: list[Array], index: int, error: Array) -> Arrays:
        """Errors of all gradients, from those of the layers' inputs and of the delta of layer `index`."""
        gradients: Arrays = {}
        while index >= 0:
            layer, delta = self.reference.layers[index], self.sizes.deltas[index]
            if isinstance(layer, spec.Linear):
                weight, bias = self.weights(index, inputs[index], delta, error)
                gradients |= {f"{index}.weight": weight, f"{index}.bias": bias}
            if index:
                below = self.through_linear if isinstance(layer, spec.Linear) else self.through_activation
                error = below(index, inputs[index], delta, error)
            index -= 1
        return {name: gradients[name] for name in self.sizes.params}

    def weights(self, index: int, input_error: Array, delta: Array, error: Array) -> tuple[Array, Array]:
        """dW = a^T delta and db: sums over the rows."""
        a, whole, exact = self.sizes.values[index], delta + error, not input_error.any()
        rows = len(a) if index else self.sizes.terms[1]
        added = error + self.arithmetic.product(rows) * whole
        size = a if exact else a + input_error
        magnitude, weight = np.hsplit(size.T @ np.hstack([whole, added]), 2)  # one pass over the data
        self.saw(magnitude)
        if not exact:
            weight = weight + np.broadcast_to(input_error, a.shape).T @ delta
        bias = error.sum(axis=0) + self.arithmetic.rounding(len(a), whole.sum(axis=0))
        return weight + rows * self.arithmetic.tiny, bias

    def through_linear(self, index: int, input_error: Array, delta: Array, error: Array) -> Array:
        """delta W^T: a sum over the outputs."""
        weight, lost, whole = (
            self.sizes.params[f"{index}.weight"],
            self.sizes.lost[f"{index}.weight"],
            delta + error,
        )
        carried = error @ weight.T
        if lost.any():
            carried = carried + whole @ lost.T
        count = weight.shape[1]
        return carried + self.arithmetic.product(count) * (whole @ weight.T) + count * self.arithmetic.tiny

    def through_activation(self, index: int, input_error: Array, delta: Array, error: Array) -> Array:
        """delta f'(z): f' is off by its own error, by its whole jump where z lies within its error of a kink."""
        layer, z, value = self.reference.layers[index], self.step.values[index], self.step.values[index + 1]
        derivative = narrow(abs(activation_derivative(layer, z, value, self.reference.round)))
        size = self.sizes.values[index + 1]
        match layer:
            case spec.ReLU() | spec.LeakyReLU():
                jump = abs(1 - getattr(layer, "negative_slope", 0.0))
                off = np.where((narrow(abs(z)) <= input_error) & (input_error > 0), jump, 0.0)
            case spec.Sigmoid():
                moved = self.activation(index, input_error)
                off = abs(1 - 2 * size) * moved + moved**2 + self.arithmetic.rounding(3, size)
            case _:
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
        momentum, gain = float(c.momentum), abs(float(1 - c.dampening))
        unit, rate = self.arithmetic.unit, abs(learning_rate)
        buffers, params = {}, {}
        for name, error in gradients.items():
            theta, g = self.sizes.params[name], narrow(abs(step.gradients[name]))
            if decay := abs(float(c.weight_decay)):
                error = error + rounding(2, g + error + decay * theta)
                g = g + decay * theta
            if momentum:
                buffers[name] = error
                if not first:
                    # 1 - dampening is rounded itself: off by u (|dampening| + |1 - dampening|)
                    coefficient = unit * (abs(float(c.dampening)) + gain) if c.dampening else 0.0
                    kept = momentum * narrow(abs(step.previous[name]))
                    old = carried.get(name, 0.0)
                    buffers[name] = momentum * old + gain * error + coefficient * (g + error)
                    buffers[name] = buffers[name] + rounding(3, kept + momentum * old + gain * (g + error))
                b = narrow(abs(step.buffers[name]))
                lookahead = (
                    error + momentum * buffers[name] + rounding(2, g + error + momentum * (b + buffers[name]))
                )
                error = lookahead if c.nesterov else buffers[name]
            d, moved = narrow(abs(step.directions[name])), narrow(abs(step.params[name]))
            self.saw(moved + d)
            tau = (
                2 * unit * moved
                + rate * (1 + 2 * unit) * error
                + 2 * unit * rate * d
                + 4 * self.arithmetic.tiny
            )
            params[name] = tau + (2 * unit * theta if decay else 0.0)
        return buffers, params
