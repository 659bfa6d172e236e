"""Another loss for the same targets, another option, or a formula that is not quite the loss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from samestep.backends import losses, spec

from ..case import Case, Variation
from .changed_loss import ChangedLoss
from .loss_formulas import formulas
from .played import with_reference, with_task

CLASSES = ("class", "class or probabilities")


def of_losses(case: Case) -> Iterator[Variation]:
    """Another loss or option, and formulas that are not quite the loss."""
    yield from of_options(case)
    for description, change in formulas(case):
        make = partial(ChangedLoss, case.workload.task, change)
        yield Variation("loss", description, with_reference(case, make))


# --- declared losses ------------------------------------------------------------------------------------------


def of_options(case: Case) -> Iterator[Variation]:
    """Another declared loss for the same targets, and the same one with another option."""
    declared = case.workload.task.loss
    same = losses.get(declared.name)
    others = [losses.get(name) for name in losses.names() if name != declared.name]
    seen = {with_defaults(declared)}
    for entry in (same, *(other for other in others if other.trains and takes_targets_of(other, same))):
        for options in option_sets(declared, entry):
            fields = {"name": entry.name, "reduction": declared.reduction, "options": options}
            changed = spec.Loss.model_validate(fields)
            if with_defaults(changed) not in seen:
                seen.add(with_defaults(changed))
                play = with_task(case, {"loss": changed})
                yield Variation("loss", option_text(entry, options, declared), play)


def with_defaults(loss: spec.Loss) -> tuple[Any, ...]:
    """A loss with every option that was not given at its default."""
    defaults = {name: option.default for name, option in losses.get(loss.name).options.items()}
    return loss.name, *sorted({**defaults, **loss.arguments}.items())


def option_text(entry: losses.LossSpec, options: dict[str, Any], declared: spec.Loss) -> str:
    """A loss with its options, and those of the task that it lacks."""
    pairs = ", ".join(f"{k} = {v}" for k, v in options.items() if not isinstance(v, tuple))
    given = [k for k in declared.arguments if k != "reduction" and entry.name == declared.name]
    lacking = " and ".join(k for k in given if k not in options)
    return f"{entry.torch_name}({pairs})" + (f", without {lacking}" if lacking else "")


def takes_targets_of(other: losses.LossSpec, same: losses.LossSpec) -> bool:
    """Whether another loss takes the targets of this one."""
    return same.target == other.target or (same.target in CLASSES and other.target in CLASSES)


def option_sets(declared: spec.Loss, entry: losses.LossSpec) -> Iterator[dict[str, Any]]:
    """Options of a loss: its defaults, the task's numbers under its own names, and those changed."""
    given = {k: v for k, v in declared.arguments.items() if k != "reduction" and v is not None}
    shared = {k: v for k, v in given.items() if k in entry.options}
    yield shared
    for left_out in shared:
        yield {k: v for k, v in shared.items() if k != left_out}
    yield {}
    numbers = [v for v in given.values() if isinstance(v, float) and v > 0]
    for name, option in entry.options.items():
        tried = [value for v in numbers for value in (v, 1 / v, v * v, 2 * v, v / 2)]
        for number in (*tried, 0.0, 0.1, 0.5, 2.0):
            if isinstance(option.default, float) and option.valid(number):
                yield {**shared, name: number}
        if isinstance(given.get(name), tuple) and all(isinstance(v, float) and v for v in given[name]):
            for changed in (tuple(1 / v for v in given[name]), tuple(reversed(given[name]))):
                yield {**shared, name: changed}
        if name == "p":
            yield {**shared, name: 3 - int(given.get("p", 1))}
