"""What may be written over: an earlier file of the same kind, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.console.targets import check_target


def test_a_new_file_and_an_earlier_one_of_its_kind_are_fine(tmp_path: Path) -> None:
    check_target("--out ", tmp_path / "new.html", b"mark")
    (tmp_path / "old.html").write_text("with the mark")
    check_target("--out ", tmp_path / "old.html", b"mark")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other.html", "of another kind"),
        ("none/page.html", "there is no folder"),
        (".", "is a folder"),
        ("/dev/null", "no file that can be replaced"),
        ("n" * 300, "name too long"),
    ],
)
def test_everything_else_is_one_line(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text("something else")
    with pytest.raises(InputError, match=f"(?i)^--out .*{said}"):
        check_target("--out ", tmp_path / name, b"mark")
