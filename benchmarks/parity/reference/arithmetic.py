"""The error that correct arithmetic can make: gamma_n = n u / (1 - n u), and sums that know their own error.

Model of an operation (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2.2 and 3.1):
fl(a op b) = (a op b)(1 + delta) + eta with |delta| <= u and |eta| <= the smallest normal number, since XLA
flushes subnormals to zero. A sum of products in which every term passes through at most n roundings is off by
at most gamma_n times the sum of the terms' absolute values, in any order of summation, fused or not.

u counts the task's dtype *and* the reference's own, so that a reference that is no wider stays sound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samestep.backends.interface import MatmulPrecision

from ...console.errors import InputError

Array: TypeAlias = Any  # a NumPy array in float64 or wider

# exp, log, log1p, tanh and the logistic function are taken to be right within 8 units in the last place of their
# value, which is 16 unit roundoffs at most.
FUNCTION = 16

TF32 = 2.0**-11  # unit roundoff of TF32: 10 explicit bits and the leading one, rounded to nearest


@dataclass(frozen=True)
class Arithmetic:
    """The rounding of one dtype: unit roundoff, smallest normal number and largest number.

    `input_error` is how far a product of two numbers is off, relatively, where both are rounded to fewer bits
    first: (1 + v)^2 - 1 with the unit roundoff v of those bits. It counts in matrix products alone.
    `probabilistic` puts the square root of n in the place of n: what independent roundings of mean zero do with
    high probability (Higham and Mary, SIAM J. Sci. Comput. 41, 2019). It is shown beside the worst case, and
    nothing is judged by it.
    """

    unit: float
    tiny: float
    largest: float
    probabilistic: bool = False
    input_error: float = 0.0

    @classmethod
    def of(
        cls, dtype: str, wide: Any, *, probabilistic: bool = False, matmul_precision: MatmulPrecision = "full"
    ) -> Arithmetic:
        """The arithmetic of a program in `dtype`, judged by a reference in `wide`; only float32 has TF32."""
        info = np.finfo(dtype)
        unit = float(info.eps) / 2 + float(np.finfo(wide).eps) / 2
        narrowed = matmul_precision == "tf32" and dtype == "float32"
        input_error = 2 * TF32 + TF32**2 if narrowed else 0.0
        return cls(unit, float(info.tiny), float(info.max), probabilistic, input_error)

    def gamma(self, n: float) -> float:
        """n u / (1 - n u), Higham's (3.1).

        Raises:
            InputError: n u is 1 or more, where no bound of this kind exists.
        """
        nu = (math.sqrt(n) if self.probabilistic else n) * self.unit
        if nu >= 1:
            raise InputError(
                f"a sum of {n:.0f} terms has no error bound at unit roundoff {self.unit:.1e}: "
                "take a smaller batch or a wider dtype"
            )
        return nu / (1 - nu)

    def product(self, n: float) -> float:
        """gamma_n for a sum of products whose inputs are rounded first: (1 + input_error)(1 + gamma_n) - 1."""
        return self.gamma(n) * (1 + self.input_error) + self.input_error

    def rounding(self, n: float, magnitude: Any) -> Any:
        """What n roundings do to terms whose absolute values add up to `magnitude`."""
        return self.gamma(n) * magnitude + n * self.tiny


@dataclass(frozen=True)
class Sum:
    """A computed sum: its exact value, the error that its terms brought along, and what adding them up can add.

    `magnitude` is the sum of the terms' absolute values, `count` the roundings that one term can pass through.
    Kept open, so that a further term (the target, a margin) may be added in any order.
    """

    arithmetic: Arithmetic
    value: Array
    carried: Array
    magnitude: Array
    count: int

    @property
    def error(self) -> Array:
        """Bound of |computed - value|; exactly 0 where every term is."""
        if not self.count:
            return self.carried
        added = self.arithmetic.rounding(self.count, self.magnitude)
        return self.carried + np.where(self.magnitude > 0, added, 0.0)

    def minus(self, term: Array) -> Sum:
        """This sum less an exact term."""
        magnitude = self.magnitude + abs(narrow(term))
        return Sum(self.arithmetic, self.value - term, self.carried, magnitude, self.count + 1)


def narrow(value: Any) -> NDArray[np.float64]:
    """float64: wide enough for a bound, and fast."""
    return np.asarray(value, dtype=np.float64)
