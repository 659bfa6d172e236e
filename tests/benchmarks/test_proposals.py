"""What a shell is told when somebody presses the tab key, and the scripts that ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from samestep import backends
from samestep.benchmarks import proposals, tasks

PROGRAM = [sys.executable, "-m", "samestep"]


def asked(line: str, tmp_path: Path, shell: str = "fish") -> list[str]:
    """The values that are proposed at the end of a line."""
    protocol = {
        "_SAMESTEP_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": line,
    }
    done = subprocess.run(
        PROGRAM, cwd=tmp_path, env={**os.environ, **protocol}, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("samestep co", ["compare"]),
        ("samestep compare --lane torch:f", ["torch:fused"]),
        ("samestep compare --lane=torch:f", ["torch:fused"]),
        ("samestep parity --against numpy:t", ["numpy:tuned"]),
        ("samestep compare --task lesson-hu", ["lesson-huber"]),
        ("samestep compare --effort s", ["smoke", "standard"]),
        ("samestep table --format m", ["markdown"]),
        ("samestep explain UNS", ["UNSTABLE"]),
        ("samestep verify --js", ["--json"]),
        ("samestep verify --", ["--data", "--against-code", "--json", "--quiet", "--help"]),
        ("samestep compare --data ", []),  # any file
        ("samestep table ", []),
    ],
)
def test_what_can_follow_is_proposed(line: str, values: list[str], tmp_path: Path) -> None:
    assert asked(line, tmp_path) == values


@pytest.mark.slow
def test_the_script_of_typer_that_somebody_has_installed_is_still_answered(tmp_path: Path) -> None:
    assert asked("samestep table ", tmp_path, "zsh") == ["_files"]
    assert "torch" in asked("samestep compare --lane torc", tmp_path, "zsh")[0]


def test_every_value_that_is_proposed_is_one_that_is_taken() -> None:
    for metavar in proposals.PROPOSED:
        complete = proposals.completer(metavar)
        assert complete is not None
        assert complete("")
        assert complete("no such value") == []
    assert [name for name, _ in proposals.PROPOSED["LANE"]()] == list(backends.names())
    assert [name for name, _ in proposals.PROPOSED["TASK"]()] == list(tasks.names())
    assert proposals.completer("FILE") is None


# --- the scripts ----------------------------------------------------------------------------------------------


def program(folder: Path) -> Path:
    """A program of its own name in a folder with a space, on no PATH."""
    path = folder / "bin of mine" / "samestep"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m samestep "$@"\n')
    path.chmod(0o755)
    return path


def escaped(path: Path) -> str:
    """A path as it is typed."""
    return str(path).replace(" ", "\\ ")


def script(shell: str, tmp_path: Path) -> str:
    """The script that `--show-completion` prints for a shell."""
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    words = [*PROGRAM, "--show-completion", shell]
    return subprocess.run(
        words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("samestep compare --lane torch:f", ["fused"]),  # bash replaces what follows the colon
        ("samestep compare --lane=torch:f", ["fused"]),
        ("samestep compare --lane nump", ["numpy", "numpy:fused", "numpy:tuned"]),
        ("samestep explain bound\\ u", ["bound\\ used"]),
        ("samestep table ", []),
    ],
)
def test_bash_completes_names_with_a_colon(line: str, values: list[str], tmp_path: Path) -> None:
    ask = f"""
COMP_LINE='{line}'
COMP_POINT=${{#COMP_LINE}}
_samestep_completion '{escaped(program(tmp_path))}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script("bash", tmp_path) + ask],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.split("\n")[:-1] == (values or [""])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish here")
def test_fish_completes_values_and_files(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").touch()
    typed = "compare --lane torch:f", "compare --lane=torch:f", "table pri"
    words = "; ".join(f"complete -C '{{}} {line}'" for line in typed)
    place = escaped(program(tmp_path))
    text = script("fish", tmp_path) + words.replace("{}", place)
    done = subprocess.run(
        ["fish", "--no-config", "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["torch:fused", "--lane=torch:fused", "prices.csv"], done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh here")
@pytest.mark.parametrize(
    ("line", "shown"), [("compare --lane torch:f", "torch\\:fused"), ("table ", "files")]
)
def test_zsh_completes_values_and_files(line: str, shown: str, tmp_path: Path) -> None:
    functions = 'compdef() { :; }; _describe() { print -rl -- "${(@P)2}"; }; _files() { print files; }; '
    words = " ".join(f"'{word}'" for word in [escaped(program(tmp_path)), *line.split(" ")])
    ask = f"\nwords=({words}); CURRENT=$#words; _samestep_completion"
    done = subprocess.run(
        ["zsh", "-f", "-c", functions + script("zsh", tmp_path) + ask],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == [shown], done.stderr


def test_typers_own_scripts_are_where_they_are_replaced() -> None:
    from typer import _completion_shared

    assert {"bash", "zsh", "fish"} <= _completion_shared._completion_scripts.keys()
