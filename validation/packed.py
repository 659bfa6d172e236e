"""A record in little room: its slices as a Parquet table, the rest as JSON without the steps of the proofs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, RootModel

from samestep.benchmarks.console.errors import InputError
from samestep.benchmarks.record import AnyRecord, Certified, Record1, Slice, TimedSlice
from samestep.benchmarks.record.files import read_model, write_text
from samestep.benchmarks.record.version_1 import Slice1
from validation import arms

FORMER_MODULE = (
    "benchmarks.experiments.arms"  # of `arms`, in the names of lanes in records made before it moved
)


class AnyVersion(RootModel[Annotated[AnyRecord, Field(discriminator="schema_version")]]):
    """A record by itself, of whichever version."""


def write(record: AnyRecord, folder: Path) -> None:
    """Keep the record in a folder: record.json, slices.parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"block": block.index} | piece.model_dump() for block in record.blocks for piece in block.slices]
    for row in rows:
        row["voluntary"], row["involuntary"] = row.pop("switches")
    partial = folder / ".slices.parquet"
    pq.write_table(pa.Table.from_pylist(rows), partial, compression="zstd", compression_level=19)
    partial.replace(folder / "slices.parquet")
    rest = {
        "blocks": tuple(block.model_copy(update={"slices": ()}) for block in record.blocks),
        "certified": tuple(without_steps(certified) for certified in record.certified),
    }
    write_text(folder / "record.json", record.model_copy(update=rest).model_dump_json())


def without_steps(certified: Certified) -> Certified:
    """The certificate's word and end, without the steps and values that it kept."""
    evidence = tuple(
        piece.model_copy(update={"judgement": piece.judgement.model_copy(update={"kept": (), "sample": ()})})
        for piece in certified.certificate.evidence
    )
    certificate = certified.certificate.model_copy(update={"evidence": evidence, "final": None})
    return certified.model_copy(update={"certificate": certificate})


def read(folder: Path) -> AnyRecord:
    """The record in a folder; what was left out of it stays out.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    import pyarrow.parquet as pq

    record = read_model(folder / "record.json", AnyVersion).root
    record = AnyVersion.model_validate_json(current(record.model_dump_json())).root
    kind = Slice1 if isinstance(record, Record1) else Slice
    slices: dict[int, list[TimedSlice]] = {}
    for row in pq.read_table(folder / "slices.parquet").to_pylist():
        row |= {name: current(row[name]) for name in ("lane", "predecessor")}
        row["switches"] = row.pop("voluntary"), row.pop("involuntary")
        slices.setdefault(row.pop("block"), []).append(kind(**row))
    blocks = tuple(
        block.model_copy(update={"slices": tuple(slices.get(block.index, ()))}) for block in record.blocks
    )
    return record.model_copy(update={"blocks": blocks})


def origin(folder: Path) -> dict[str, Any]:
    """When the records in a folder's folders were begun, by which version, on what, and the blocks that each has.

    All are of one experiment, so that the first tells what holds of every one.
    """
    records = {
        place.name: json.loads((place / "record.json").read_bytes()) for place in sorted(folder.iterdir())
    }
    first = next(iter(records.values()))
    return {
        "created": first["plan"]["created"],
        "version": first["schema_version"],
        "machine": first["plan"]["environment"],
        "blocks": {name: len(record["blocks"]) for name, record in records.items()},
    }


def current(text: str) -> str:
    """Text with lanes of the module's former name under the present one: a lane is named by its module."""
    return text.replace(FORMER_MODULE, arms.__name__) if text else text


def result(folder: Path, summary: Callable[[dict[str, AnyRecord]], list[dict[str, Any]]]) -> dict[str, Any]:
    """The machine and the rows that a summary makes of all records in the folders of a folder.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    records = {place.name: read(place) for place in sorted(folder.iterdir())} if folder.is_dir() else {}
    if not records:
        raise InputError(f"{folder}: holds no record; run the experiment first")
    machine = next(iter(records.values())).plan.environment.model_dump()
    return {"machine": machine, "rows": summary(records)}
