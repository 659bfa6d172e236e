"""Every command that the pages show: its options parse, and what is quick is run, in a small form.

A command is a line of a fenced block without a language (or sh, console) that begins with one of PROGRAMS.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import typer.main

from samestep import backends
from samestep.backends.spec import Dtype
from samestep.benchmarks import cli, tasks
from samestep.benchmarks.measure import request as run_request
from samestep.benchmarks.measure.efforts import EFFORTS
from samestep.benchmarks.record import Threads
from samestep.benchmarks.report import tables
from tests.helpers import command_runner
from tests.helpers.paths import ROOT

EXAMPLE = ROOT / "examples" / "packed"
PEERS = ROOT / "examples" / "peers"
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHELLS = ("", "sh", "console", "bash")
PROGRAMS = ("samestep", "make", "python", "python3", "pytest", "pip")
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def project(folder: Path) -> dict[str, Any]:
    """What a pyproject.toml says of its package."""
    declared: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    return declared


LANES = [
    lane for folder in (ROOT, EXAMPLE, PEERS) for lane in project(folder)["entry-points"][backends.GROUP]
]

# What is parsed and not run, by how the line begins, and why.
UNRUN = {
    "make": "sets up an environment and runs what other lines run; `make -n` says whether the target exists",
    "pip": "changes the environment; its files and extras are looked up, its options parsed by pip itself",
    "python3 -m venv": "changes the environment",
    "python -m docs.generate": "writes pages of this checkout; tests/docs and others compare them",
    "samestep compare --resume": "needs an interrupted run; test_cli and test_plugin_options have them",
    "samestep compare --device cuda": "needs a GPU",
    "samestep parity --device cuda": "needs a GPU",
    "pytest tests/backends/test_contract.py --device cuda": "needs a GPU",
    "samestep compare --lane torch --lane numpy:tuned --lane numpy:packed": "test_example_lane races that lane",
    "samestep compare --lane torch --lane torch:tuned --lane lightning --lane keras:torch": "test_peers races it",
    "samestep compare --lane jax --lane jax:tuned --lane keras:jax --baseline jax": "the same",
    "python -m validation": "minutes and more; tests/validation runs small ones",
    "samestep pytest": "becomes pytest; tests/benchmarks/commands/test_pytest.py runs it",
    "samestep sweep": "twenty minutes; test_crossover runs a small one",
}
# What a quick form has in place of the options of these names.
SMALL = {
    "compare": ("--effort smoke --lane numpy --baseline numpy", "--effort --lane --baseline --task --out"),
    "parity": ("--lane numpy", "--lane --against"),
    "lesson": ("--lane numpy", "--lane"),
    "ceilings": ("--task lesson", "--task"),
}
VALUES = {  # what the values of an option may be
    "task": tasks.names(),
    "lane": LANES,
    "baseline": LANES,
    "against": LANES,
    "effort": tuple(EFFORTS),
    "threads": get_args(Threads),
    "dtype": get_args(Dtype),
    "device": (*run_request.DEVICES, "gpu"),
    "format": tables.FORMATS,
}


def lines(text: str) -> list[str]:
    """The commands in a page's blocks, without prompts, comments and the folder of the environment."""
    commands = []
    for language, block in FENCED.findall(text):
        shell = block if language.strip() in SHELLS else ""
        for line in shell.replace("\\\n", " ").replace("&&", "\n").splitlines():
            plain = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if plain.partition(" ")[0] in PROGRAMS:
                commands.append(shlex.join(shlex.split(plain, comments=True)))
    return commands


SHOWN = sorted({line for page in PAGES for line in lines(page.read_text(encoding="utf-8"))})


def of(program: str) -> list[list[str]]:
    """The arguments of the commands of a program that the pages show."""
    return [arguments[1:] for line in SHOWN if (arguments := shlex.split(line))[0] == program]


def unrun(line: str) -> str | None:
    return next((start for start in UNRUN if line.startswith(start)), None)


def test_every_kind_of_command_is_shown() -> None:
    assert {shlex.split(line)[0] for line in SHOWN} >= {"samestep", "make", "pip", "pytest"}
    stale = set(UNRUN) - {unrun(line) for line in SHOWN}
    assert not stale, f"no page shows these any more: {stale}"


# --- parsed ---------------------------------------------------------------------------------------------------


def parse(arguments: list[str]) -> None:
    """The options of `samestep`, by its own parser; the values as far as they can be known."""
    assert arguments[0] in COMMANDS, f"no command {arguments[0]}; there are {', '.join(COMMANDS)}"
    context = COMMANDS[arguments[0]].make_context(arguments[0], arguments[1:])
    for name, values in VALUES.items():
        given = context.params.get(name) or []
        for value in [given] if isinstance(given, str) else given:
            plain = re.sub(r":\d+$", "", value)  # cuda:1 is the second cuda
            assert plain in values, f"--{name} {value}: not of {', '.join(values)}"


@pytest.mark.parametrize("arguments", of("samestep"), ids=shlex.join)
def test_samestep_parses(arguments: list[str]) -> None:
    parse(arguments)


@pytest.mark.parametrize("line", ["compare --efort quick", "compare --task lession", "compete", "table"])
def test_what_is_wrong_is_found(line: str) -> None:
    with pytest.raises((typer.TyperException, AssertionError)):
        parse(shlex.split(line))


def test_commands_are_found_in_blocks_of_a_shell_alone() -> None:
    page = "```python\nmake()\n```\nmake x\n```\n.venv/bin/pip a && make b  # c\nd = make\n```\n"
    page += "```sh\n$ make \\\n  e\n```\n"
    assert lines(page) == ["pip a", "make b", "make e"]


@pytest.mark.parametrize("arguments", of("make"), ids=shlex.join)
def test_make_has_the_target_and_its_arguments_parse(arguments: list[str]) -> None:
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    given = [shlex.split(word.removeprefix("ARGS=")) for word in arguments if word.startswith("ARGS=")]
    if arguments[0] == "compare":
        parse(["compare", *(given[0] if given else [])])


@pytest.mark.filterwarnings(
    "ignore:Setuptools is replacing distutils"
)  # where another test imported the latter
@pytest.mark.parametrize("arguments", of("pip"), ids=shlex.join)
def test_pip_parses_and_finds_its_files_and_extras(arguments: list[str]) -> None:
    from pip._internal.commands import create_command

    options, requirements = create_command(arguments[0]).parse_args(arguments[1:])
    extras = project(ROOT)["optional-dependencies"]
    for place in [*options.requirements, *(edit.partition("[")[0] for edit in options.editables)]:
        assert (ROOT / place).exists(), place
    for requirement in requirements:
        place, _, names = requirement.partition("[")
        if place.startswith("."):
            assert (ROOT / place / "pyproject.toml").exists(), place
        if place == ".":
            assert set(filter(None, names.rstrip("]").split(","))) <= set(extras), requirement


@pytest.mark.parametrize("arguments", [*of("python"), *of("python3")], ids=shlex.join)
def test_python_has_the_module(arguments: list[str]) -> None:
    assert arguments[0] == "-m"
    assert find_spec(arguments[1]), arguments[1]
    if arguments[1] in ("samestep", "validation", "docs.generate"):
        assert find_spec(f"{arguments[1]}.__main__")


# --- run ------------------------------------------------------------------------------------------------------


def small(arguments: list[str]) -> list[str]:
    """A quick form of a command of `samestep`: the same options but for those that make it long."""
    instead, dropped = (part.split() for part in SMALL.get(arguments[0], ("", "")))
    if "numpy:packed" in arguments:
        instead = ["numpy:packed" if word == "numpy" else word for word in instead]
    rest, skip = [], False
    for word in arguments:
        if not skip and word not in dropped:
            rest.append(word)
        skip = word in dropped
    return [*rest, *instead]


def quick() -> list[list[str]]:
    """The small forms of what is run, each once; all options of `compare` go into one race."""
    run = [
        small(arguments) for arguments in of("samestep") if not unrun(shlex.join(["samestep", *arguments]))
    ]
    race: dict[str, None] = {}
    for arguments in (arguments for arguments in run if arguments[0] == "compare"):
        starts = [place for place, word in enumerate(arguments) if word.startswith("--")]
        for begin, end in zip(starts, [*starts[1:], len(arguments)], strict=True):
            if arguments[begin] not in race:  # of an option that several lines have, the first value
                race |= dict.fromkeys(arguments[begin:end])
    others = dict.fromkeys(shlex.join(arguments) for arguments in run if arguments[0] != "compare")
    instead = SMALL["compare"][0].split()
    options = [word for word in race if word not in instead]
    return [["compare", *options, *instead], *map(shlex.split, others)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which examples/packed is as good as installed."""
    folder = tmp_path_factory.mktemp("site")
    package = project(EXAMPLE)
    shutil.copy(EXAMPLE / "samestep_packed.py", folder)
    info = folder / "samestep_packed-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {package['name']}\nVersion: {package['version']}\n")
    entries = package["entry-points"][backends.GROUP]
    (info / "entry_points.txt").write_text(
        "\n".join([f"[{backends.GROUP}]", *(f"{name} = {place}" for name, place in entries.items())])
    )
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def run(arguments: list[str], cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, smoke: tuple[Path, object], site: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """The outcome of every quick command, all in one process.

    Each runs in a folder of its own, with a record where the pages have one, and the file that it reads.
    """
    commands = []
    for arguments in quick():
        folder = tmp_path_factory.mktemp("command")
        for place in ("results/reference", "results/local/TIME"):
            shutil.copytree(smoke[0], folder / place)
        if "--data" in arguments:
            write_table(folder, arguments)
        out = ["--out", "out"] if arguments[0] == "compare" else []
        commands.append({"arguments": [*arguments, *out], "folder": str(folder)})
    listing = tmp_path_factory.mktemp("commands") / "commands.json"
    listing.write_text(json.dumps(commands))
    results = json.loads(run(["tests.helpers.command_runner", str(listing)], ROOT, site))
    return {shlex.join(arguments): result for arguments, result in zip(quick(), results, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("command", [*map(shlex.join, quick())])
def test_samestep_runs(command: str, outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes[command]["code"] == 0, outcomes[command]["output"][-3000:]


def test_a_command_that_fails_says_so(tmp_path: Path) -> None:
    """Otherwise the test above proves nothing."""
    failed = command_runner.run(["table", "nothing"], str(tmp_path))
    assert failed["code"] == 2
    assert "nothing" in failed["output"]


def write_table(folder: Path, arguments: list[str]) -> None:
    """The file that `--data` names, with its target and its features."""
    given = dict(pairwise(arguments))
    names = [given["--target"], *given.get("--features", "size,rooms").split(",")]
    values = np.random.default_rng(0).normal(size=(60, len(names)))
    np.savetxt(folder / given["--data"], values, delimiter=",", header=",".join(names), comments="")


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [arguments for arguments in of("pytest") if not unrun(shlex.join(["pytest", *arguments]))],
    ids=shlex.join,
)
def test_pytest_runs_or_collects(arguments: list[str], site: dict[str, str], tmp_path: Path) -> None:
    """The contract tests of the example lane run; races are only collected."""
    less = ["--collect-only"] if "--benchmark-only" in arguments else []
    base = f"--basetemp={tmp_path / 'base'}"
    run(["pytest", "-q", "-p", "no:cacheprovider", base, *less, *arguments], ROOT, site)
