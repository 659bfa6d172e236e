"""The lane `numpy:packed`: a layer is one product forward and one back; ones beside the data carry the bias.

With Z = [x 1] and theta = [W; b]:  x W + b = Z theta,  and the gradient of theta is Z^T dz.
"""

from __future__ import annotations

import numpy as np

from samestep.backends import spec
from samestep.backends.interface import Arrays, Traits
from samestep.backends.numpy_backend import Activation, Floats, LinearLayer
from samestep.backends.numpy_modes import NumpyTuned, TunedLinear


class PackedLinear(TunedLinear):
    """A linear layer over theta (in + 1, out), of which `weight` and `bias` are views in numpy:tuned already."""

    def __init__(self, weight: Floats, bias: Floats) -> None:
        super().__init__(weight, bias)
        self.packed: dict[int, tuple[Floats, Floats]] = {}

    def forward(self, x: Floats) -> Floats:
        rows = len(x)
        if rows not in self.packed:
            ones = np.ones((rows, len(self.theta)), x.dtype)
            self.packed[rows] = ones, np.empty((rows, self.theta.shape[1]), x.dtype)
        self.z, out = self.packed[rows]
        self.z[:, :-1] = x
        return np.dot(self.z, self.theta, out)

    def backward(self, dz: Floats, *, need_dx: bool) -> Floats:
        np.dot(self.z.T, dz, self.gradient)
        return dz @ self.weight.T if need_dx else dz


class Packed(NumpyTuned):
    """numpy:tuned with packed layers: only what differs is written here."""

    traits = Traits(gradient="by hand", buffers="reused")

    def layer(self, index: int, layer: spec.Layer, values: Arrays) -> LinearLayer | Activation:
        if isinstance(layer, spec.Linear):
            return PackedLinear(values[f"{index}.weight"], values[f"{index}.bias"])
        return super().layer(index, layer, values)
