"""Which single ingredient of a step may have been another? Each variation plays the step again with it."""

from __future__ import annotations

from collections.abc import Iterator

from ..case import Case, Variation
from .backward_variations import of_weights
from .layer_variations import of_layers
from .loss_variations import of_losses
from .param_variations import of_parameters
from .row_variations import of_features, of_rows
from .target_variations import of_targets

__all__ = ["of_parameters", "of_rows", "of_targets", "variations"]


def variations(case: Case) -> Iterator[Variation]:
    """All variations of a step, the likeliest first."""
    for kind in (of_rows, of_targets, of_parameters, of_losses, of_layers, of_weights, of_features):
        yield from kind(case)
