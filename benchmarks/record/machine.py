"""The machine that a record was measured on: host, software, thread pools, GPUs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from samestep.backends.spec import Count, Finite, NonNegative, Positive, Spec

Natural = Annotated[int, Field(ge=0)]
DIGEST = Field(pattern="^[0-9a-f]{16}$")


class Pool(Spec):
    """A BLAS or OpenMP library that threadpoolctl finds in a process. XLA's own pool is not among them."""

    api: str
    library: str
    version: str | None
    threads: Count
    architecture: str | None = None


def _is_unknown(value: object) -> bool:
    return value is None


class Environment(Spec):
    """The host and its software; sizes in bytes. What is not known, or as on most hosts, is left out of records.

    quota: CPU seconds that the cgroup allows for each second. sharing_cpus: allowed CPUs that share a core with
        another one. core_kinds: how many kinds of core they are. governor, turbo: what sets their clocks.
    """

    system: str
    machine: str
    cpu: str
    cores: Count | None
    logical_cpus: Count
    allowed_cpus: Count
    affinity: bool
    memory: Count
    python: str
    packages: dict[str, str]
    settings: dict[str, str]
    boot: str = DIGEST
    installed: str = DIGEST
    source: str = DIGEST
    quota: Positive | None = Field(default=None, exclude_if=_is_unknown)
    sharing_cpus: Natural = Field(default=0, exclude_if=lambda count: count == 0)
    core_kinds: Count = Field(default=1, exclude_if=lambda count: count == 1)
    governor: str | None = Field(default=None, exclude_if=_is_unknown)
    turbo: bool | None = Field(default=None, exclude_if=_is_unknown)


# The bits of what holds the clock down, from nvml.h. The settings are somebody's choice, and idle is no limit;
# the others are the GPU slowing itself down.
SETTINGS = {0x1: "idle", 0x2: "application clocks", 0x10: "sync boost", 0x100: "display clocks"}


THROTTLES = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


class Accelerator(Spec):
    """One GPU at one moment; `limits` is what holds its clock down, in words, None where it does not say.

    Clocks in MHz, temperature in degrees Celsius, power in watts, memory in bytes.
    """

    index: Natural
    name: str
    driver: str
    clock: NonNegative | None
    highest_clock: NonNegative | None
    limits: tuple[str, ...] | None
    temperature: Finite | None
    power: NonNegative | None
    memory: Count | None

    @property
    def throttles(self) -> tuple[str, ...]:
        """Those of its limits that are no choice of anybody."""
        return tuple(limit for limit in self.limits or () if limit not in SETTINGS.values())
