"""Numbers as people read them: units, and as many digits as the interval supports."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from ..console.choices import counted
from ..record.machine import Environment
from ..statistics.inference import TOO_FEW_BLOCKS, Interval

BLANK = ""
TIME_UNIT = re.compile(r"(?<=\d) (ns|us|ms|s)\b")


class Span(Protocol):
    """An estimate with the ends of its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class EstimateText(NamedTuple):
    """An estimate as text, and its interval."""

    value: str
    interval: str


def decimals(value: float, width: float) -> int:
    """Decimals down to the first digit of half of a width, at most four significant digits of the value.

    Negative where tens or hundreds are uncertain. Three significant digits without a width.
    """
    if not value or not math.isfinite(value):
        return 2
    first = -math.floor(math.log10(abs(value)))
    if not width or not math.isfinite(width):
        return first + 2
    return min(-math.floor(math.log10(width / 2)), first + 3)


def duration(seconds: float | None, width: float = 0.0) -> str:
    """Seconds with a fitting unit; `width` is that of the interval, in seconds."""
    if seconds is None:
        return BLANK
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        if abs(seconds) >= size or unit == "ns":
            return f"{seconds / size:.{max(0, decimals(seconds / size, width / size))}f} {unit}"
    raise AssertionError("ns takes whatever is left")


def time_parts(span: Span) -> EstimateText:
    """A time, and the half-width of its interval in percent."""
    if not math.isfinite(span.high):
        return EstimateText(duration(span.value), "±?")
    half = (span.high - span.low) / 2
    percents = 100 * half / span.value
    # far beyond it no digit matters
    return EstimateText(duration(span.value, 2 * half), "±>1000%" if percents > 1000 else f"±{percents:.1f}%")


def timing(span: Span | None) -> str:
    """A time with the half-width of its interval in percent."""
    return " ".join(time_parts(span)) if span else BLANK


def ratio_parts(span: Span) -> EstimateText:
    """An estimate, and the ends of its interval, all down to the first digit of the interval's half-width."""
    if not math.isfinite(span.high):
        return EstimateText(f"{span.value:.3g}", f"[{TOO_FEW_BLOCKS}]")
    places = max(decimals(span.value, span.high - span.low), _first_digit(span.value), 0)
    return EstimateText(f"{span.value:.{places}f}", f"[{span.low:.{places}f}, {span.high:.{places}f}]")


def between(span: Span | None) -> str:
    """An estimate with the ends of its interval."""
    return " ".join(ratio_parts(span)) if span else BLANK


def inverse(span: Span) -> Interval:
    """A ratio turned around: how many times as fast, from how many times as long. Unknown ends stay unknown."""
    low = 1 / span.high if math.isfinite(span.high) else 0.0
    return Interval(value=1 / span.value, low=low, high=1 / span.low if span.low else math.inf)


def speedup(span: Span | None) -> str:
    """A ratio of times in words: 16 times as fast, or 1.66 times as long."""
    if span is None:
        return BLANK
    if span.value > 1:
        return f"{ratio_parts(span).value} times as long"
    return f"{ratio_parts(inverse(span)).value} times as fast"


def typeset(text: str) -> str:
    """A text as the page shows it: µs, and no line break between a number and its unit of time."""
    return TIME_UNIT.sub(lambda unit: f"\u00a0{unit[1].replace('u', 'µ')}", text)


def rounded(value: float, width: float) -> str:
    """A number with the digits that an interval of this width supports, at least one."""
    places = max(decimals(value, width), _first_digit(value))
    return f"{round(value, places):.{max(places, 0)}f}"


def _first_digit(value: float) -> int:
    """Decimals down to the first digit of a value."""
    return -math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def count(value: float | None, width: float = 0.0, *, zeros: bool = False) -> str:
    """A large number with a metric suffix: 1234567 is 1.23 M; `width` is that of its interval.

    `zeros`: an estimate of three digits, of which zeros at the end are kept.
    """
    return BLANK if value is None else " ".join(filter(None, _count_parts(value, width, zeros)))


def quantity(value: float, unit: str) -> str:
    """A number with a metric suffix before its unit: 12 kB, 144 B, 44.2 Gflop/s."""
    number, suffix = _count_parts(value, 0.0, False)
    return f"{number} {suffix}{unit}".rstrip()


def _count_parts(value: float, width: float, zeros: bool) -> tuple[str, str]:
    """The number and its metric suffix, if it has one."""
    for suffix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 0.9995 * size:  # 999.7 is written as 1 k, not as 1e+03
            plain = digits(value / size, 3) if zeros else f"{value / size:.3g}"
            return (rounded(value / size, width / size) if width else plain), suffix
    return (rounded(value, width) if width else f"{value:.3g}"), ""


def digits(value: float, number: int) -> str:
    """A number with so many significant digits, zeros at the end included."""
    return f"{value:#.{number}g}".rstrip(".")


def width(value: float | None, span: Span | None) -> float:
    """The width of the interval of a figure that is in proportion to a time; 0 where there is none."""
    if not value or not span or not math.isfinite(span.high):
        return 0.0
    return value * (span.high - span.low) / span.value


def steps(span: Span | None) -> str:
    """A number of steps with its range, which may have no upper end."""
    if span is None:
        return BLANK
    value, low, high = (count(end, zeros=True) for end in (span.value, span.low, span.high))
    return f"{value} [{low}, {high}]" if math.isfinite(span.high) else f"{value} [{low} to never]"


def percent(ratio: float | None) -> str:
    """A ratio in percent with two digits, or all of them from 100% on; far beyond it no digit matters."""
    if ratio is None:
        return BLANK
    if ratio > 10:
        return ">1000%"
    return f"{100 * ratio:,.0f}%" if ratio >= 0.0995 else f"{100 * ratio:.2g}%"


def level(value: float) -> str:
    """The level of intervals: 95%, or 99.44% at an early look."""
    return f"{100 * value:.4g}%"


def small(value: float | None) -> str:
    """A loss or an error: four digits, with an exponent where it is small."""
    return BLANK if value is None else digits(value, 4) if value else "0"


def loss(value: float | None) -> str:
    """A loss on all rows: six digits."""
    return BLANK if value is None else f"{value:.6g}"


def times(value: float | None, width: float = 0.0) -> str:
    """How many times; `width` is that of its interval."""
    if value is None:
        return BLANK
    if width:
        return f"{float(rounded(value, width)):,.{max(decimals(value, width), 0)}f}x"
    return f"{value:,.0f}x" if value >= 99.95 else f"{digits(value, 3)}x"


def memory(size: int | None) -> str:
    """Bytes as MiB."""
    return BLANK if size is None else f"{size / 2**20:.0f} MiB"


def processors(machine: Environment) -> str:
    """The cores of a machine, or the part of its CPUs that the run was allowed."""
    if machine.allowed_cpus < machine.logical_cpus:
        return f"{machine.allowed_cpus} of {machine.logical_cpus} CPUs"
    cores = machine.cores or machine.logical_cpus
    return counted(cores, "core")


def moment(iso: str) -> str:
    """A time in ISO 8601 to the minute in UTC; any other text as it is."""
    try:
        time = datetime.fromisoformat(iso)
        return f"{time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return iso


def not_run_lines(missing: Mapping[str, str], unsupported: Mapping[tuple[str, str], str]) -> list[str]:
    """What did not run, a line for each lane or task, with the reason."""
    absent = absences(missing, unsupported)
    return [f"Not run here: {name}: {reason}" for name, reason in absent.items()]


def absences(missing: Mapping[str, str], unsupported: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Why lanes or tasks are missing, and why lanes are missing on some tasks alone, by what is missing."""
    return {**missing, **{f"{lane} on {task}": why for (task, lane), why in unsupported.items()}}
