"""The options of a run, each declared once: the command line's and pytest's options are made from this table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, NamedTuple

EVERY_RUN = ("compare", "parity")
DEFAULT_LANES = {
    "compare": "all that can run here",
    "pytest": "all that can run here",
    "parity": "all that can run here",
    "sweep": "all that can run here, but for those of --compiled",
    "lesson": "numpy, torch and jax",
}


class Declaration(NamedTuple):
    """One option: its name, what it takes, and what its help says in a command."""

    name: str
    default: Any
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return typed(self.name)

    @property
    def repeats(self) -> bool:
        """Whether it may be given more than once."""
        return isinstance(self.default, tuple)

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return isinstance(self.default, bool)


def option(default: Any, metavar: str, help: str, *commands: str) -> Any:
    """A field of Options with its declaration; `commands` are those that take it."""
    return field(default=default, metadata={"metavar": metavar, "help": help, "commands": commands})


@dataclass(frozen=True)
class Options:
    """The options as typed; empty sequences and None mean the default."""

    task: Sequence[str] = option(
        (),
        "TASK",
        "A named task, see `samestep list`; repeat for more. Default: lesson and diabetes.",
        *(*EVERY_RUN, "ceilings"),
    )
    lane: Sequence[str] = option(
        (),
        "LANE",
        "A lane, such as torch:fused; repeat for more. Default: {lanes}.",
        *DEFAULT_LANES,
    )
    data: str | None = option(
        None,
        "FILE",
        "A table as a task (.csv, .tsv, .txt, .data, .parquet, .feather, .arrow; also .gz, .zst, .zip), instead "
        "of the default tasks or beside those of --task.",
        *EVERY_RUN,
    )
    target: str | None = option(None, "COLUMN", "The column of --data to predict.", *EVERY_RUN)
    features: str | None = option(
        None,
        "COLUMNS",
        'Columns of --data to predict from, with commas ("in quotes" if a name has one); default all.',
        *EVERY_RUN,
    )
    separator: str | None = option(
        None,
        "CHARACTER",
        "Between fields of --data; also tab and blank; default told from the file.",
        *EVERY_RUN,
    )
    decimal: str | None = option(
        None, "MARK", "Decimal mark of --data, . or , and the other one between thousands.", *EVERY_RUN
    )
    encoding: str | None = option(
        None, "NAME", "Encoding of --data, such as utf-8, cp1252, utf-16.", *EVERY_RUN
    )
    null: Sequence[str] = option(
        (), "WORD", "A further word, or number, for a missing value in --data; repeat for more.", *EVERY_RUN
    )
    no_header: bool = option(
        False,
        "",
        "--data has no names in its first line; they are then column 1, column 2 and so on.",
        *EVERY_RUN,
    )
    skip: Sequence[str] = option(
        (), "COLUMN", "A column of --data to leave out; repeat for more.", *EVERY_RUN
    )
    categorical: Sequence[str] = option(
        (),
        "COLUMN",
        "A column of --data whose words become columns of 0 and 1; repeat for more; auto: all of few words.",
        *EVERY_RUN,
    )
    missing: str = option(
        "refuse",
        "WHAT",
        "Gaps in --data: refuse, drop (their rows) or mean (of the training rows).",
        *EVERY_RUN,
    )
    dtype: str = option("float32", "DTYPE", "float32 or float64.", *EVERY_RUN)
    device: str = option(
        "cpu", "DEVICE", "cpu, cuda (or gpu; the second: cuda:1), mps, tpu.", *EVERY_RUN, "sweep"
    )
    threads: str = option(
        "one",
        "THREADS",
        "one: each lane on one core; all: each framework as shipped.",
        *("compare", "sweep", "ceilings"),
    )
    effort: str = option(
        "quick", "EFFORT", "smoke (to try), quick (6 blocks), standard (12), rigorous (24).", "compare"
    )
    until: str | None = option(
        None,
        "END",
        "Instead of --effort: decided, 12, 18 or 24 blocks, until every lane is decided or cannot be.",
        "compare",
    )
    minutes: str | None = option(
        None,
        "MINUTES",
        "With --until: end at the last look that this leaves time for; the first comes in any case.",
        "compare",
    )
    baseline: str | None = option(
        None, "LANE", "The lane that the others are compared with; default torch.", "compare", "sweep"
    )
    out: str | None = option(
        None, "FOLDER", "Folder for the run's results; default results/local/TIME.", "compare", "sweep"
    )
    resume: str | None = option(
        None, "FOLDER", "Go on with the interrupted run in this folder.", "compare", "sweep"
    )
    phases: bool = option(False, "", "Also show where the time of a step goes.", "compare")
    quiet: bool = option(
        False, "", "No progress: the result alone, and errors.", *EVERY_RUN, "sweep", "lesson"
    )


OF_DATA = (  # how --data is read
    *("target", "features", "separator", "decimal", "encoding", "null", "no_header", "skip", "categorical"),
    "missing",
)


def is_given(options: Options, name: str) -> bool:
    """Whether an option says something."""
    default = next(option.default for option in fields(Options) if option.name == name)
    return (getattr(options, name) or default) != default


def typed(name: str) -> str:
    """An option of this name as it is typed."""
    return "--" + name.replace("_", "-")


def declared(command: str) -> Iterator[Declaration]:
    """The options that a command takes, with the help that it shows; those of "pytest" are those of compare."""
    for option_field in fields(Options):
        if command == "pytest" and option_field.name == "quiet":
            continue  # pytest has one of its own
        if {"pytest": "compare"}.get(command, command) in option_field.metadata["commands"]:
            yield _declaration(option_field, command)


def _declaration(option: Field[Any], command: str) -> Declaration:
    text = option.metadata["help"].format(lanes=DEFAULT_LANES.get(command, ""))
    return Declaration(option.name, option.default, option.metadata["metavar"], text)
