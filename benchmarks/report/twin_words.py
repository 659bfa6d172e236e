"""What tables say of the A/A controls: as many as the record holds."""

from __future__ import annotations

from ..record import AnyRecord


def with_twins(record: AnyRecord) -> str:
    """In how many of its races an identical twin ran, as the end of a clause; a race is a block of a task."""
    races, twinned = set[tuple[int, str]](), set[tuple[int, str]]()
    for block in record.blocks:
        for timed in (timed for timed in block.slices if timed.kind == "race"):
            (twinned if timed.twin else races).add((block.index, timed.task))
    if not races:
        return ""
    if not twinned:
        return ", without an identical twin in any race"
    if twinned >= races:
        return ", with an identical twin in every race"
    return f", with an identical twin in {len(twinned):,} of {len(races | twinned):,} races"
