"""What the lanes say of themselves here: why one cannot run, or its tier, devices and versions.

Only their frameworks can say it, and to import those takes seconds: each that is not imported yet is asked in a
process of its own, some at the same time. A lane that ends the process which asks it has that for a reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from samestep import backends
from samestep.backends.interface import LaneName

from .environment import allowed_cpus

LaneFacts: TypeAlias = dict[str, Any]
MODULE = "samestep.benchmarks.measure.lane_facts"
FIRST = ("torch", "jax")  # those that take longest


def lane_facts(names: Sequence[str]) -> list[LaneFacts]:
    """What each of some lanes says, in their order: with `missing`, or `tier`, `devices` and `versions`."""
    processes, places = len(allowed_cpus()), backends.places()
    elsewhere = [name for name in names if processes > 1 and places[name].module not in sys.modules]
    with ThreadPoolExecutor(processes) as threads:
        told = list(threads.map(_asked, _by_framework(elsewhere)))
    by_name = {facts["lane"]: facts for group in told for facts in group}
    return [by_name.get(name) or ask(name) for name in names]


def ask(name: str) -> LaneFacts:
    """What a lane says, asked in this process."""
    if reason := backends.missing(name):
        return {"lane": name, "missing": reason}
    lane = backends.lane_class(name)
    return {"lane": name, "tier": lane.tier, "devices": list(lane.devices()), "versions": lane.versions()}


def _by_framework(names: Sequence[str]) -> Iterator[list[str]]:
    """The lanes whose frameworks are imported together, those that take longest first."""

    def place(name: str) -> tuple[bool, str]:
        framework = LaneName.parse(name).framework
        return framework not in FIRST, framework

    for _, group in groupby(sorted(names, key=place), place):
        yield list(group)


def _asked(names: Sequence[str]) -> list[LaneFacts]:
    """What some lanes say, asked in one process; where it dies, each of them in its own."""
    path = os.pathsep.join(str(Path(folder).resolve()) for folder in sys.path if folder)
    done = subprocess.run(
        [sys.executable, "-m", MODULE, *names],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0 and done.stdout:
        sys.stderr.write(done.stderr)
        return list(json.loads(done.stdout))
    if len(names) > 1:
        return [facts for name in names for facts in _asked([name])]
    number = -done.returncode
    how = signal.Signals(number).name if number in set(signal.Signals) else f"exit {done.returncode}"
    return [{"lane": names[0], "missing": f"to ask it ends the process ({how})"}]


def main() -> None:
    """Answer for the lanes that the arguments name; whatever they print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the one who asks says that it was interrupted
    answer = os.dup(1)
    os.dup2(2, 1)
    facts = [ask(name) for name in sys.argv[1:]]
    with os.fdopen(answer, "w") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    main()
