"""What holds the CPUs of a run back or makes them differ, in one sentence below the tables."""

from __future__ import annotations

from collections.abc import Iterator

from ..console.choices import counted
from ..record import AnyRecord, Slice


def host_line(record: AnyRecord) -> list[str]:
    """The sentence, as a list of one line; none where nothing is known or out of the ordinary."""
    facts = list(_facts(record))
    return [f"The CPUs: {'; '.join(facts)}."] if facts else []


def _facts(record: AnyRecord) -> Iterator[str]:
    host = record.plan.environment
    slices = [timed for block in record.blocks for timed in block.slices if isinstance(timed, Slice)]
    stopped = sum(timed.throttled > 0 for timed in slices)
    if host.quota or stopped:
        limit = f"a quota of {counted(host.quota, 'CPU')}" if host.quota else "a quota"
        yield f"{limit} of the cgroup stopped {stopped:,} of {len(slices):,} slices"
    if host.sharing_cpus:
        yield f"{host.sharing_cpus} of the allowed ones are hardware threads that share a core"
    if host.core_kinds > 1:
        yield f"{host.core_kinds} kinds of core"
    if host.governor:
        yield f"governor {host.governor}"
    if host.turbo is not None:
        yield f"turbo {'on' if host.turbo else 'off'}"
