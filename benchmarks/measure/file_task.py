"""The task of --data: how its options are read, and a target proposed where none is named."""

from __future__ import annotations

from typing import get_args

from samestep.backends.spec import Dtype, File, Missing, Reading, Task
from samestep.backends.strict_model import LONGEST_NAME

from .. import datasets, tasks
from ..console.choices import first_names, pick
from ..console.errors import InputError
from ..datasets.numerals import MARKS
from ..datasets.refusal import as_option
from ..datasets.spelling import names_of, text_of
from ..datasets.table import possible_targets
from ..datasets.target_choice import proposed
from .options import Options


def task_of_data(options: Options, path: str, dtype: Dtype) -> tuple[Task, tuple[str, ...]]:
    """The task on a file, and how the file was read.

    Raises:
        InputError: no target was named, an option has no such value, or the file cannot be trained on.
    """
    reading = reading_of(options)
    features = names_of(options.features) if options.features else None
    named = (
        path,
        options.target or "",
        *(features or ()),
        *reading.skip,
        *reading.categorical,
        *reading.null,
    )
    if max(map(len, named)) > LONGEST_NAME:
        raise InputError(
            f"a path or a column's name of more than {LONGEST_NAME:,} characters: use shorter ones"
        )
    if not options.target:
        raise InputError(f"--data {path} needs the column to predict{_proposal(path, reading)}")
    dataset = File(path=path, target=options.target, features=features, reading=reading)
    split = datasets.load(dataset)
    return tasks.on_split(dataset, split, dtype), split.understood


def reading_of(options: Options) -> Reading:
    """How a file is to be read.

    Raises:
        InputError: an option has no such value.
    """
    return Reading(
        separator=options.separator,
        decimal=None if options.decimal is None else pick("decimal", options.decimal, MARKS),
        encoding=options.encoding,
        null=tuple(options.null),
        no_header=options.no_header,
        skip=tuple(options.skip),
        categorical=tuple(options.categorical),
        missing=pick("missing", options.missing, get_args(Missing)),
    )


def _proposal(path: str, reading: Reading) -> str:
    """The columns that can be the target, one of them ready to be pasted."""
    targets = possible_targets(path, reading)
    if not targets:
        return ", and has none of different numbers"
    shown = first_names([text_of([name]) for name in targets])
    return f", one of {shown}: `{as_option('target', proposed(targets))}`"
