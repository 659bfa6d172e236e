"""`samestep parity`: the certificate of every lane on every task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from samestep import backends

from ..console.choices import pick
from ..console.errors import InputError
from ..console.progress import progress
from ..console.targets import check_target
from ..console.terminal import terminal_width
from ..measure import certify_lanes, duration, settings
from ..measure.options import Options
from ..measure.request import by_tier, resolve
from ..record import Certified
from ..record.files import json_text, write_text
from ..report import certificate_tables as certificates
from ..report.settings_lines import unset_line
from ..report.text_table import paragraph

CERTIFICATES_MARK = b'"certificate": {'  # in the first entry of every file of certificates


def parity(options: Options, file: str | None, against: str | None = None) -> int:
    """Certify every lane on every task and print the table; 1 if any lane is not proven.

    `against`: a further lane; the table shows how far each lane's final parameters are from its.
    """
    if against and options.lane:
        options = replace(options, lane=[*options.lane, against])
    request = resolve(options, race=False)
    if against and pick("lane", against, by_tier(backends.names())) in request.missing_lanes:
        raise InputError(f"--against {against}: it cannot run here: {request.missing_lanes[against]}")
    if file is not None:
        check_target("--json ", Path(file), CERTIFICATES_MARK)
    expected = duration.of_certificates(request.pairs)
    with progress(expected, first=request.understood, quiet=options.quiet) as report:
        certified = certify_lanes(
            request.tasks,
            request.lanes,
            device=request.device,
            unsupported=request.unsupported,
            progress=report,
        )
    width = terminal_width()
    table = certificates.parity(
        certified, request.missing, unsupported=request.unsupported, width=width, against=against
    )
    print(table)
    for line in unset_line(settings.unset(os.environ)):
        print(paragraph(line, width))
    if file is not None:
        write_text(file, json_text(certified, indent=2))
    return int(any(unproven(pair, certified) for pair in certified))


def unproven(pair: Certified, certified: Sequence[Certified]) -> bool:
    """Whether a lane failed on a task; one that diverged has, where another lane of the task did not."""
    if pair.certificate.status == "diverged":
        return any(other.task == pair.task and other.certificate.status == "pass" for other in certified)
    return pair.certificate.status != "pass"
