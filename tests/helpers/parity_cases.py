"""Correct programs for the drawn parity tasks, their arithmetic drawn too."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.helpers.parity_trainer import SUMS, Trainer


@st.composite
def trainers(draw, task):
    """A correct program for a task, its arithmetic drawn."""
    return Trainer(
        task,
        matmul=SUMS[draw(st.sampled_from(sorted(SUMS)))],
        reciprocal=draw(st.booleans()),
        divide_late=draw(st.booleans()),
        fused=draw(st.booleans()),
    )
