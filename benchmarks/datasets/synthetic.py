"""Data drawn from known distributions, y = X w + b + noise: the truth that training should find again."""

from __future__ import annotations

import numpy as np

from samestep.backends.spec import Synthetic

from .split import Float64, Split, Transform


def load(spec: Synthetic) -> Split:
    """Draw w (unless it is given), then the training rows, then the held-out rows; nothing is standardized."""
    rng = np.random.default_rng(spec.seed)
    if spec.weights is None:
        w = rng.normal(0.0, spec.features**-0.5, size=(spec.features, 1))  # so that X w has variance near 1
    else:
        w = np.array(spec.weights, dtype=np.float64)[:, None]
    x, y = _draw(rng, spec.rows, w, spec)
    x_test, y_test = _draw(rng, spec.held_out, w, spec)
    return Split(
        x=x,
        y=y,
        x_test=x_test,
        y_test=y_test,
        features=tuple(f"x{index}" for index in range(spec.features)),
        target="y",
        transform=Transform.identity(spec.features),
        source=f"synthetic: {spec.rows} rows of y = X w + b + {spec.noise:g} N(0, 1), seed {spec.seed}",
        truth=(w, spec.bias),
    )


def _draw(rng: np.random.Generator, rows: int, w: Float64, spec: Synthetic) -> tuple[Float64, Float64]:
    """X (rows, k) from N(0, 1), and labels (rows, 1).

    The products are summed row by row and not by X @ w: a BLAS may add in another order with another number
    of threads, and the data would then differ between processes.
    """
    x = rng.standard_normal((rows, len(w)))
    signal = np.sum(x * w[:, 0], axis=1, keepdims=True)
    return x, signal + spec.bias + spec.noise * rng.standard_normal((rows, 1))
