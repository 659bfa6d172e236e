"""Where and when: what pytest-benchmark says of machine, dates and version against what the record says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..record import AnyRecord, Environment, Record1
from ..record.files import Document, ForeignPart
from ..record.plan import Moment
from .findings import Findings

ROUNDING = timedelta(seconds=2)  # dates are written in whole seconds


class Processor(ForeignPart):
    """What pytest-benchmark says of the processor."""

    brand_raw: str | None = None
    count: int | None = None
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    flags: tuple[str, ...] | None = None


class MachineFacts(ForeignPart):
    """What pytest-benchmark says of the machine, as far as the record says the same."""

    system: str | None = None
    release: str | None = None
    machine: str | None = None
    processor: str | None = None
    python_implementation: str | None = None
    python_version: str | None = None
    cpu: Processor = Processor()


class Commit(ForeignPart):
    """The commit in whose folder the file was written."""

    time: Moment | None = None


class MachineDocument(Document):
    """pytest-benchmark's JSON as far as it says where and when."""

    machine_info: MachineFacts | None = None
    commit_info: Commit | None = None
    datetime: Moment | None = None
    version: str | None = None


def check_machine(findings: Findings, document: MachineDocument) -> None:
    """The machine and the versions beside the record are those in it."""
    environment, facts = document.samestep.plan.environment, document.machine_info
    plugin = environment.packages.get("pytest-benchmark")
    if document.version is None or plugin is None:
        findings.skip("the version of pytest-benchmark: the file or the record does not say")
    else:
        fault = f"pytest-benchmark is {plugin} in the record, {document.version} beside it"
        findings.compare("facts of the machine", document.version == plugin, fault)
    if facts is None:
        findings.skip("the machine: there are no facts of it beside the record")
        return
    recorded = _recorded(environment, facts)
    for name, expected in _expected(facts).items():
        if expected is None:
            findings.skip(f"{name} of the machine: nothing beside the record says it")
            continue
        fault = f"the environment's {name} is {recorded[name]}; beside the record it is {expected}"
        findings.compare("facts of the machine", recorded[name] == expected, fault)


def _recorded(environment: Environment, facts: MachineFacts) -> dict[str, str | int]:
    """The record's facts of the machine; a processor without a name is called by its architecture."""
    unnamed = environment.cpu in (facts.machine, facts.processor)
    cpu = facts.cpu.brand_raw or "" if unnamed else environment.cpu
    values = environment.model_dump(include={"system", "machine", "python", "logical_cpus"})
    return values | {"cpu": " ".join(cpu.split())}


def _expected(facts: MachineFacts) -> dict[str, str | int | None]:
    """The same facts as pytest-benchmark has them, None for what it does not say."""
    system = f"{facts.system} {(facts.release or '').partition('-')[0]}" if facts.system else None
    python = f"{facts.python_implementation} {facts.python_version}" if facts.python_version else None
    cpu = facts.cpu.brand_raw and " ".join(facts.cpu.brand_raw.split())
    return {
        "system": system,
        "machine": facts.machine,
        "python": python,
        "logical_cpus": facts.cpu.count,
        "cpu": cpu,
    }


def check_dates(findings: Findings, document: MachineDocument) -> None:
    """Commit, plan, resumptions and writing came in this order, and what was timed fits between them."""
    record = document.samestep
    begun, resumed = _moment(record.plan.created), [_moment(each.when) for each in record.resumptions]
    if document.datetime is None:
        findings.skip("when the file was written: it does not say")
        written = max([begun, *resumed])
    else:
        written = _moment(document.datetime)
        timed = timedelta(microseconds=_timed_ns(record) / 1000)
        fault = f"{timed} were timed in the {written - begun} from the plan to the writing"
        findings.compare("dates", timed <= written - begun + ROUNDING, fault)
    moments = [begun, *resumed, written + ROUNDING]
    findings.compare("dates", moments == sorted(moments), "plan, resumptions and file are not in this order")
    if document.datetime and document.commit_info and document.commit_info.time:
        committed = _moment(document.commit_info.time)
        findings.compare("dates", committed <= written + ROUNDING, "the commit is later than the file")
    for name in ("blocks", "cold_results"):
        counts = [getattr(resumption, name) for resumption in record.resumptions]
        found = len(record.blocks) if name == "blocks" else max(counts, default=0)
        listed = ", ".join(map(str, counts))
        fault = f"the resumptions found {listed} {name.replace('_', ' ')}, and there are {found}"
        findings.compare("dates", [*counts, found] == sorted([*counts, found]), fault)


def _timed_ns(record: AnyRecord) -> int:
    """Nanoseconds that were timed one after another: in a race only one worker runs at any time.

    Of cold calls so many may run at once as the plan has jobs.
    """
    if isinstance(record, Record1):
        return sum(timed.elapsed_ns for block in record.blocks for timed in block.slices)
    cold_s = sum(cold.import_s + cold.first_call_s for cold in record.colds) / record.plan.effort.jobs
    slices = [timed for block in record.blocks for timed in block.slices]
    return round(cold_s * 1e9) + sum(max(s.span_ns, s.outside_ns, s.elapsed_ns) for s in slices)


def _moment(text: str) -> datetime:
    """A date that says no zone is one in UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
