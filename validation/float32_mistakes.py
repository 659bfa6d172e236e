"""Programs that are right in float64 and wrong in float32 alone: what a proof in float32 must show by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from samestep.backends import numpy_backend, spec
from samestep.backends.interface import Batch, Host
from samestep.backends.numpy_backend import LossFunction, NumpyBackend, NumpyState

PIECE = 64  # rows after which a running sum is rounded


def shortened(values: Host, bits: int) -> Host:
    """Values with a mantissa of so many bits, rounded to nearest."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent), values.dtype)


class ShortInputs(NumpyBackend):
    """The rows in 20 bits, where float32 has 24."""

    bits = 20

    def forward_backward(self, state: NumpyState, batch: Batch) -> tuple[Any, dict[str, Host]]:
        x, y = batch
        return super().forward_backward(state, (shortened(x, self.bits) if x.dtype == np.float32 else x, y))


class ShorterInputs(ShortInputs):
    """The rows in 17 bits."""

    bits = 17


class GradientChange(NumpyBackend):
    """A lane that changes its gradients in float32."""

    def change(self, gradient: Host) -> Host:
        raise NotImplementedError

    def forward_backward(self, state: NumpyState, batch: Batch) -> tuple[Any, dict[str, Host]]:
        loss, gradients = super().forward_backward(state, batch)
        if batch[0].dtype == np.float32:
            gradients = {name: self.change(gradient) for name, gradient in gradients.items()}
        return loss, gradients


class ShortGradients(GradientChange):
    """Gradients in 16 bits."""

    def change(self, gradient: Host) -> Host:
        return shortened(gradient, 16)


class DroppedEntries(GradientChange):
    """Gradient entries below a thousandth of the largest are zero."""

    def change(self, gradient: Host) -> Host:
        return np.where(abs(gradient) < 1e-3 * abs(gradient).max(), np.float32(0), gradient)


class ShortSumLayer(numpy_backend.LinearLayer):
    """The sum over the rows is kept in 16 bits."""

    def backward(self, dz: Host, *, need_dx: bool) -> Host:
        below = super().backward(dz, need_dx=need_dx)
        if dz.dtype == np.float32:
            total = np.zeros_like(self.grads["weight"])
            for start in range(0, len(dz), PIECE):
                rows = slice(start, start + PIECE)
                total = shortened(total + self.x[rows].T @ dz[rows], 16)
            self.grads["weight"] = total
        return below


class ShortSums(NumpyBackend):
    """Running sums of 16 bits."""

    def layer(self, index: int, layer: spec.Layer, values: Mapping[str, Host]) -> Any:
        if isinstance(layer, spec.Linear):
            return ShortSumLayer(values[f"{index}.weight"], values[f"{index}.bias"])
        return super().layer(index, layer, values)


class PolynomialSigmoidLayer(numpy_backend.SigmoidLayer):
    """exp by Taylor's polynomial of degree five, after a reduction to |r| <= log(2) / 2."""

    def value(self, x: Host) -> Host:
        if x.dtype != np.float32:
            return super().value(x)
        doublings = np.round(-x / np.float32(np.log(2)))
        r = (-x.astype(np.float64) - doublings * np.log(2)).astype(np.float32)
        total = np.ones_like(r)
        for degree in (5, 4, 3, 2, 1):
            total = 1 + total * r / np.float32(degree)
        return np.asarray(1 / (1 + np.ldexp(total, doublings.astype(int))))


class PolynomialExponential(NumpyBackend):
    """A logistic function whose exponential is a polynomial."""

    def layer(self, index: int, layer: spec.Layer, values: Mapping[str, Host]) -> Any:
        if isinstance(layer, spec.Sigmoid):
            return PolynomialSigmoidLayer()
        return super().layer(index, layer, values)


class ShiftedLogarithm(NumpyBackend):
    """Binary cross entropy, a mean, with log(p + 1e-7)."""

    def loss(self, declared: spec.Loss) -> LossFunction:
        right, shift = super().loss(declared), np.float32(1e-7)

        def shifted(p: Host, t: Host) -> tuple[Any, Host]:
            if p.dtype != np.float32:
                return right(p, t)
            value = -(t * np.log(p + shift) + (1 - t) * np.log(1 - p + shift))
            derivative = (1 - t) / (1 - p + shift) - t / (p + shift)
            return value.mean(), derivative / np.float32(p.size)

        return shifted


class SmoothedRoot(NumpyBackend):
    """The mean of |e| with sqrt(e^2 + 1e-12) in its place."""

    def loss(self, declared: spec.Loss) -> LossFunction:
        right, shift = super().loss(declared), np.float32(1e-12)

        def smoothed(p: Host, t: Host) -> tuple[Any, Host]:
            if p.dtype != np.float32:
                return right(p, t)
            e = p - t
            root = np.sqrt(e * e + shift)
            return root.mean(), e / root / np.float32(e.size)

        return smoothed
