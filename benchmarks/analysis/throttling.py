"""GPUs that slowed themselves down while something was measured."""

from __future__ import annotations

from collections.abc import Sequence

from ..record import Accelerator


def throttled(before: Sequence[Accelerator], after: Sequence[Accelerator]) -> str | None:
    """Which GPUs slowed themselves down at the start or the end of some work, and why; None if none did."""
    slowed = {gpu.index: gpu for gpu in (*before, *after) if gpu.throttles}
    return "; ".join(_slowdown(gpu) for gpu in slowed.values()) or None


def _slowdown(gpu: Accelerator) -> str:
    """How a GPU slowed itself down, with the numbers that it gives."""
    facts = []
    if gpu.clock is not None and gpu.highest_clock is not None:
        facts.append(f"{gpu.clock:g} of {gpu.highest_clock:g} MHz")
    facts += [f"{gpu.temperature:g} C"] if gpu.temperature is not None else []
    facts += [f"{gpu.power:g} W"] if gpu.power is not None else []
    why = f"GPU {gpu.index} slowed itself down ({', '.join(gpu.throttles)})"
    return f"{why}: {', '.join(facts)}" if facts else why
