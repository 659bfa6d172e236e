"""The table of certificates: one row for each task and lane, and in its notes why a lane is not proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..parity import Certificate, final_distance
from ..record import Certified
from . import formatting as fmt
from .tables import Table, boxed, notes


def parity(
    found: Sequence[Certified], missing: dict[str, str], *, width: int = 100, against: str | None = None
) -> str:
    """The certificates as a table, a row for each task and lane; the last column is the distance to `against`."""
    heads = ["lane", "task", "status", "bound used", "likely", "at step", "tensor", "slack", "timed program"]
    table = Table("PARITY", (*heads, f"from {against}") if against else tuple(heads), [])
    others = {each.task: each.certificate for each in found if each.lane == against}
    for each in found:
        certificate = each.certificate
        cells = [each.lane, each.task, certificate.status.upper(), *_worst(certificate)]
        if against:
            cells.append("" if each.lane == against else _gap(certificate, others[each.task]))
        table.rows.append(tuple(cells))
        if certificate.status != "pass":
            table.notes.append(f"{each.lane} on {each.task}: {certificate.reason}")
    if against:
        table.notes.append(
            f"from {against}: the norm of the difference of the final parameters, of what rounding allows two "
            "such runs; blank where parameters are too many to keep. Each lane is held to its own bound."
        )
    table.notes += list(_overall(found))
    table.notes.append(
        "bound used: the largest share of the worst case that any step used. likely: the same of what "
        "independent roundings would do, which judges nothing. slack: the inverse of bound used."
    )
    table.notes += [f"{lane}: not run: {reason}" for lane, reason in missing.items()]
    return "\n".join([boxed(table, width), *notes(table, width)])


def _overall(found: Sequence[Certified]) -> Iterator[str]:
    """A line for each task whose bound can be followed along the run: the lane that ends farthest out."""
    for task in dict.fromkeys(each.task for each in found):
        ends = [
            (each.lane, each.certificate.evidence[-1].judgement.overall)
            for each in found
            if each.task == task and each.certificate.evidence
        ]
        known = [(lane, overall) for lane, overall in ends if overall]
        if not known:
            continue
        lane, most = max(known, key=lambda pair: pair[1].share)
        exact = "" if most.to_solution is None else f", and {most.to_solution:.2g} from the exact solution"
        yield (
            f"{task}: over the whole run the lanes use {fmt.percent(most.share)} of the propagated bound; {lane} "
            f"ends {most.ulps:.2g} ULP from the reference's own run{exact}"
        )


def _worst(certificate: Certificate) -> list[str]:
    """The step nearest to its bound, by how much, and how the timed program ended."""
    if not certificate.evidence:
        return [""] * 6
    last = certificate.evidence[-1]
    worst = max(last.judgement.quantities.values(), key=lambda w: w.share, default=None)
    if not worst:
        return [""] * 6
    equal = all(one.equal for one in last.untraced)
    same = ("bit for bit" if equal else "within bound") if last.untraced else ""
    slack = fmt.times(worst.slack) if worst.share <= 1 else ""
    likely = fmt.percent(max(one.likely for one in last.judgement.quantities.values()))
    return [fmt.percent(worst.share), likely, str(worst.step), worst.tensor, slack, same]


def _gap(one: Certificate, other: Certificate) -> str:
    """How far two lanes end from each other, of the allowance; blank where that is not known."""
    far = final_distance(one, other)
    allowed = one.evidence[-1].judgement.allowance if one.evidence else None
    return "" if far is None or allowed is None else f"{far:.2g} of {allowed:.2g}"
