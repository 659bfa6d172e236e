"""Makes .venv with the locked versions and this package: what `make setup` runs. Standard library only.

    python install.py            what compares: frameworks, data, tables
    python install.py --tests    what tests and checks need besides

uv installs where it is on the PATH and pip has no settings of its own: uv reads none of them, and would fetch a
CUDA build where pip finds a CPU build in a folder. What the installer says goes to .venv/install.log.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
LOG = VENV / "install.log"
OWN = ("backends", "benchmarks", "samestep")  # samestep has links to the others, which are not followed
LINES = 15  # of the log that are shown after an error
OLDEST = (3, 11)
NEXT = {
    "compare": "then come the certificates of all lanes, a minute or two, and the race, two to four minutes",
    "test": "then come the tests, about ten minutes",
    "test-fast": "then come the fast tests, about two minutes",
}
HARMLESS = {
    "disable-pip-version-check",
    "default-timeout",
    "timeout",
    "no-input",
    "root-user-action",
    "cache-dir",
    "progress-bar",
}


def main() -> int:
    """Install, and say in one line how it went; 0 or 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", action="store_true", help="also what tests and checks need")
    parser.add_argument("--next", default="", metavar="TARGET", help="what make does afterwards")
    options = parser.parse_args()
    if sys.version_info < OLDEST:
        return fail(
            f"samestep needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}: "
            "install one, or name one with make setup PYTHON=/path/to/python"
        )
    os.chdir(Path(__file__).parent)
    begin = time.monotonic()
    lock = "requirements-tests.lock" if options.tests else "requirements.lock"
    uv = shutil.which("uv") if not pip_settings() else None
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", ""], check=False).returncode:
        made = run(
            [uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, VENV]
            if uv
            else [sys.executable, "-m", "venv", "--clear", VENV],
            None,
            "making .venv",
        )
        if made:
            return fail(
                f"{VENV} could not be made with {sys.executable}; on Debian, apt install python3-venv"
            )
    what = (
        "what tests need"
        if options.tests
        else "the locked versions, 2 GB (with PyPI's torch for Linux, more)"
    )
    print(f"installing {what}, with {'uv' if uv else 'pip'}: one to four minutes", flush=True)
    if options.next in NEXT and options.tests == options.next.startswith("test"):
        print(NEXT[options.next], flush=True)
    steps = [(["-r", lock], lock)]
    if not options.tests:
        # the locked setuptools builds, and not another one that is fetched for it
        steps.append((["--no-deps", "--no-build-isolation", "--editable", "."], "samestep"))
    for arguments, name in steps:
        if run([*installer(uv), *arguments], LOG, name):
            print(*LOG.read_text(errors="replace").splitlines()[-LINES:], sep="\n", file=sys.stderr)
            return fail(f"{name} could not be installed; all that was said is in {LOG}")
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        run(bytecode(), None, "bytecode")  # without it all runs too: what cannot be compiled is none of ours
    print(f"ready after {time.monotonic() - begin:.0f} s", flush=True)
    return 0


def installer(uv: str | None) -> list[str | Path]:
    """The command that installs with uv, or with pip; it compiles nothing."""
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", PYTHON]
    return [PYTHON, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]


def bytecode() -> list[str | Path]:
    """The command that compiles what is installed, and this package, on all CPUs.

    Python keeps what it compiles by itself. Where it is told to write none, as in many containers, every process
    of a run would compile its framework, for seconds, and what it imports of this package. Nobody imports tests.
    """
    folders = [*sorted(VENV.glob("lib/python*/site-packages")), *map(Path, OWN)]
    return [PYTHON, "-m", "compileall", "-qq", "-j", "0", "-x", r"[/\\]tests[/\\]", *folders]


def pip_settings() -> set[str]:
    """The names of pip's settings for indexes, folders of wheels, constraints and certificates."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "config",
        "list",
    ]  # "env:.find-links='/wheels'": files and environment
    listed = subprocess.run(pip, capture_output=True, text=True, check=False).stdout.splitlines()
    names = {line.partition("=")[0].rpartition(".")[2] for line in listed}
    names |= {name[4:].lower().replace("_", "-") for name in os.environ if name.startswith("PIP_")}
    return names - HARMLESS


def run(command: Sequence[str | Path | None], log: Path | None, name: str) -> int:
    """Run a command with its output in a file; on a terminal a line counts the seconds."""
    begin, shown = time.monotonic(), sys.stdout.isatty()
    with open(log or os.devnull, "w") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    return process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    if shown:
                        print(f"\r{name}: {time.monotonic() - begin:.0f} s ", end="", flush=True)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            if shown:
                print("\r\033[K", end="", flush=True)


def fail(message: str) -> int:
    """One line on stderr."""
    print(f"install.py: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
