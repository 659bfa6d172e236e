"""What is said of a lane that shows no gradients: in the table of certificates, and below the tables of a run."""

from __future__ import annotations

from typing import Any

from samestep.backends.interface import Trace
from samestep.backends.numpy_backend import NumpyBackend
from samestep.benchmarks.analysis import RecordAnalysis
from samestep.benchmarks.record import Certified
from samestep.benchmarks.report import certificate_tables as certificates
from samestep.benchmarks.report import tables
from samestep.benchmarks.report.formatting import percent
from tests.helpers.parity_trainer import certified
from tests.helpers.records import record

LED = "gradients not shown: judged by the parameters that they led to"


class ShowsNone(NumpyBackend):
    def trace(self, *given: Any) -> Any:
        state, trace = super().trace(*given)
        return state, Trace(trace.losses, trace.params)


def proofs() -> tuple[Certified, ...]:
    """Of two lanes; the second shows no gradients."""
    lanes = {"torch": NumpyBackend, "jax": ShowsNone}
    return tuple(
        Certified(task="lesson", lane=lane, certificate=certified(kind)) for lane, kind in lanes.items()
    )


def test_the_table_of_certificates_says_so_with_the_part_that_could_hide() -> None:
    text = " ".join(certificates.parity(proofs(), {}, unsupported={}).split())
    assert text.count(LED) == 1
    assert f"jax on lesson: {LED}. Of a step " in text
    for piece in proofs()[1].certificate.evidence:
        part = percent(piece.judgement.resolution)
        assert f"{part} in {piece.judgement.dtype}" in text


def test_the_notes_of_a_run_say_so_in_every_format_but_csv() -> None:
    made = record({"jax": [0.5] * 6}).model_copy(update={"certified": proofs()})
    for format in ("rich", "markdown", "html"):
        text = " ".join(tables.render(RecordAnalysis(made), format).split())
        assert text.count(f"jax: {LED}") == 1, format
