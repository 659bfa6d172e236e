"""What a record says of its lanes: as they declare it, and the same of one lane in each of its places."""

from __future__ import annotations

from collections.abc import Mapping

from samestep.backends.interface import LaneName

from ..record import AnyRecord, Arm, Certified
from .findings import Findings
from .lane_declarations import compiled_elsewhere, declared_lanes

TRAITS = ("framework", "tier", "gradient", "buffers", "compiled", "products")


def check_arms(findings: Findings, record: AnyRecord) -> None:
    """Every lane that ran describes itself once, as its code declares, on the device and packages of the run."""
    arms, packages = {arm.lane: arm for arm in record.arms}, record.plan.environment.packages
    ran = {c.lane for c in record.certified} | {cold.lane for cold in record.colds}
    for lane in sorted({*arms, *ran}):
        fault = (
            f"{lane}: its description is missing" if lane in ran else f"{lane}: described, and not planned"
        )
        findings.compare("lane descriptions", lane in arms and lane in record.plan.lanes, fault)
    for arm in arms.values():
        _check_traits(findings, arm)
        device = record.plan.device
        findings.compare(
            "lane descriptions", arm.device == device, f"{arm.lane}: ran on {arm.device}, not on {device}"
        )
        if not LaneName.parse(arm.lane).environment:
            differing = _other_versions(arm.versions, packages)
            fault = f"{arm.lane}: other versions than the environment's: {', '.join(differing)}"
            findings.compare("lane descriptions", not differing, fault)
    for certified in (certified for certified in record.certified if certified.lane in arms):
        _check_certificate(findings, certified, arms[certified.lane])


def _check_traits(findings: Findings, arm: Arm) -> None:
    """Tier and traits of a lane of this project, from its source text."""
    declared = declared_lanes().get(arm.lane)
    if declared is None:
        findings.skip("tier and traits of lanes that are not this project's; --against-code opens them")
        return
    for trait in TRAITS:
        recorded, value = getattr(arm, trait), declared[trait]
        findings.declared(
            "lane descriptions",
            recorded == value or (trait == "compiled" and recorded == compiled_elsewhere(arm.lane)),
            f"{arm.lane}: {trait} is {recorded!r}; it declares {value!r}",
        )


def _check_certificate(findings: Findings, certified: Certified, arm: Arm) -> None:
    """The certificate of a lane is of the packages, the device and the products of its description."""
    for name in ("versions", "device", "products"):
        fault = f"{certified.lane} on {certified.task}: {name} of its certificate are not those of its lane"
        same = getattr(certified.certificate, name) == getattr(arm, name)
        findings.compare("lane descriptions", same, fault)


def _other_versions(versions: Mapping[str, str], packages: Mapping[str, str]) -> list[str]:
    """The packages whose versions are not those installed: the part after a plus may be left out, not differ."""
    pairs = [(name, version, packages[name]) for name, version in versions.items() if name in packages]
    return [f"{name} {first}" for name, first, second in pairs if not _same_version(first, second)]


def _same_version(first: str, second: str) -> bool:
    (public, _, local), (other_public, _, other_local) = first.partition("+"), second.partition("+")
    return public == other_public and (local == other_local or not local or not other_local)
