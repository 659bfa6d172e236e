"""What tables say of a run that is seen more than once."""

from __future__ import annotations

from ..analysis import RecordAnalysis
from ..analysis.looks import reason_to_end
from ..statistics.sequential import ONLY
from . import formatting as fmt


def looks_line(analysis: RecordAnalysis) -> str:
    """Of a run that is seen more than once: at which look it stands, why it ended, what its intervals are."""
    effort, blocks = analysis.record.plan.effort, len(analysis.record.blocks)
    if analysis.look == ONLY and not effort.looks:
        return ""
    ended = blocks in effort.looks and not analysis.exploratory and reason_to_end(analysis)
    why = f": {ended}" if ended else ""
    if effort.looks:
        all_looks = f"{', '.join(map(str, effort.looks))} and {effort.blocks}"
        where = f"Looks after {all_looks} blocks; this is after {blocks}{why}"
    elif blocks < effort.blocks:
        where = f"Broken off after {blocks} of {effort.blocks} blocks, and can be gone on with"
    else:
        where = "It was broken off and gone on with, so that it was looked at before its end"
    return (
        f"{where}. Verdicts and intervals hold over all looks together: an interval here is one of "
        f"{fmt.level(analysis.level)}, so that all hold in at least 95% of runs."
    )
