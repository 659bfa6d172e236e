"""`samestep parity`: the certificate of every lane on every task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from samestep import backends

from ..console.choices import pick
from ..console.errors import InputError
from ..console.terminal import width
from ..measure.options import Options, by_tier, resolve
from ..record import Certified
from ..record.files import write_text
from ..report import certificate_tables as certificates


def parity(options: Options, file: str | None, against: str | None = None) -> int:
    """Certify every lane on every task and print the table; 1 if any lane is not proven.

    `against`: a further lane; the table shows how far each lane's final parameters are from its.
    """
    from ..console.progress import progress
    from ..measure import certify

    if against and options.lane:
        options = replace(options, lane=[*options.lane, against])
    asked = resolve(options, race=False)
    if against and pick("lane", against, by_tier(backends.names())) in asked.missing:
        raise InputError(f"--against {against}: it cannot run here: {asked.missing[against]}")
    if file and not Path(file).absolute().parent.is_dir():
        raise InputError(f"--json {file}: there is no folder {Path(file).parent}; make it first")
    with progress() as report:
        found = certify(asked.tasks, asked.lanes, device=asked.device, progress=report)
    print(certificates.parity(found, asked.missing | asked.left_out, width=width(), against=against))
    if file:
        write_text(file, json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    return int(any(unproven(each, found) for each in found))


def unproven(each: Certified, found: Sequence[Certified]) -> bool:
    """Whether a lane failed; one that diverged has, where another lane of the task did not."""
    if each.certificate.status == "diverged":
        return any(other.task == each.task and other.certificate.status == "pass" for other in found)
    return each.certificate.status != "pass"
