"""The table of certificates: one row for each task and lane, and in its notes why a lane is not proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..parity import Certificate, final_distance
from ..record import Certified
from ..record.proof import not_shown
from . import formatting as fmt
from .text_table import TextTable, boxed

NAMES = (
    "lane",
    "task",
    "status",
    "bound used",
    "probabilistic",
    "at step",
    "tensor",
    "slack",
    "timed program",
)
DROPS = ("slack", "timed program", "at step", "tensor", "probabilistic")  # where there is no room for all
BOUND_NOTE = (
    "bound used: the largest ratio of a rounding error to its bound at any step. probabilistic: the same for "
    "the probabilistic bound, which judges nothing. slack: the inverse of bound used."
)


def parity(
    certified: Sequence[Certified],
    missing: Mapping[str, str],
    *,
    unsupported: Mapping[tuple[str, str], str],
    width: int = 100,
    against: str | None = None,
) -> str:
    """The certificates as a table, a row for each task and lane; the last column is the distance to `against`."""
    names = (*NAMES, f"from {against}") if against else NAMES
    table = TextTable("PARITY", names, left=("lane", "task", "status", "tensor"), drops=DROPS)
    others = {proof.task: proof.certificate for proof in certified if proof.lane == against}
    for proof in certified:
        certificate = proof.certificate
        cells = [proof.lane, proof.task, certificate.status.upper(), *_worst(certificate)]
        if against:
            other = others.get(proof.task)
            cells.append("" if proof.lane == against else _distance(certificate, other))
        table.rows.append(tuple(cells))
        if certificate.status != "pass":
            table.notes.append(f"{proof.lane} on {proof.task}: {certificate.reason}")
        elif certificate.unrecorded:
            table.notes.append(f"{proof.lane} on {proof.task}: {_hidden(certificate)}")
    if against:
        table.notes.append(
            f"from {against}: the norm of the difference of the final parameters, of what rounding allows two "
            "such runs; blank where parameters are too many to keep. Each lane is held to its own bound."
        )
    table.notes += [*_whole_runs(certified), BOUND_NOTE]
    table.notes += [
        f"{name}: not run: {reason}" for name, reason in fmt.absences(missing, unsupported).items()
    ]
    return boxed(table, width)


def _hidden(certificate: Certificate) -> str:
    """What a lane did not show, and which part of a step could therefore be wrong unseen, by dtype."""
    judged = [piece.judgement for piece in certificate.evidence]
    parts = ", ".join(f"{fmt.percent(each.resolution)} in {each.dtype}" for each in judged if each.resolution)
    return f"{not_shown(certificate.unrecorded)}. Of a step {parts} could be wrong unseen"


def _whole_runs(certified: Sequence[Certified]) -> Iterator[str]:
    """A line for each task whose bound can be followed along the run: the lane that ends farthest out."""
    for task in dict.fromkeys(proof.task for proof in certified):
        ends = [
            (proof.lane, overall)
            for proof in certified
            if proof.task == task and proof.certificate.evidence
            if (overall := proof.certificate.evidence[-1].judgement.overall)
        ]
        if not ends:
            continue
        lane, worst = max(ends, key=lambda pair: pair[1].share)
        exact = "" if worst.to_solution is None else f", and {worst.to_solution:.2g} from the exact solution"
        yield (
            f"{task}: over the whole run the lanes use {fmt.percent(worst.share)} of the propagated bound; "
            f"{lane} ends {worst.ulps:.2g} ULP from the reference's own run{exact}"
        )


def _worst(certificate: Certificate) -> list[str]:
    """The step nearest to its bound, by how much, and how the timed program ended."""
    last = certificate.evidence[-1] if certificate.evidence else None
    quantities = list(last.judgement.quantities.values()) if last else []
    if not last or not quantities:
        return [""] * 6
    worst = max(quantities, key=lambda quantity: quantity.share)
    equal = all(run.equal for run in last.untraced)
    ending = ("bit for bit" if equal else "within bound") if last.untraced else ""
    slack = fmt.times(worst.slack) if worst.share <= 1 else ""
    probabilistic = fmt.percent(max(quantity.likely for quantity in quantities))
    return [fmt.percent(worst.share), probabilistic, str(worst.step), worst.tensor, slack, ending]


def _distance(certificate: Certificate, other: Certificate | None) -> str:
    """How far two lanes end from each other, of the allowance; blank where that is not known."""
    distance = None if other is None else final_distance(certificate, other)
    allowed = certificate.evidence[-1].judgement.allowance if certificate.evidence else None
    return "" if distance is None or allowed is None else f"{distance:.2g} of {allowed:.2g}"
