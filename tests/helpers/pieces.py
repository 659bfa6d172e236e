"""A finished run as it lay before its record was written: it can be shown again without being measured again."""

from __future__ import annotations

from pathlib import Path

from samestep.benchmarks.measure.exclusive import made_folder
from samestep.benchmarks.measure.folder import Calibrations, ColdResult, MachineLimits
from samestep.benchmarks.record import Record
from samestep.benchmarks.record.files import load


def lay_out(finished: Path, run: Path) -> None:
    """The pieces of a finished run, in a folder from which it can be resumed; its lanes lack nothing."""
    record = load(finished)
    assert isinstance(record, Record)
    tasks, arms = [work.task.name for work in record.plan.works], {arm.lane: arm for arm in record.arms}
    colds = {(cold.task, cold.lane): cold for cold in record.colds}
    with made_folder(run) as folder:
        folder.begin(record.plan)
        for one in record.certified:
            result = ColdResult(arm=arms[one.lane], cold=colds[one.task, one.lane], certified=one)
            place = folder.cold_path(tasks.index(one.task), record.plan.lanes.index(one.lane), 0)
            folder.write(place, result)
        folder.keep(
            MachineLimits(ceilings=record.ceilings, dispatches=record.dispatches, reasons=record.unmeasured)
        )
        folder.keep(Calibrations(calibrations=record.calibrations))
        for block in record.blocks:
            folder.write(folder.block_path(block.index), block)
        assert folder.record().model_dump_json() == record.model_dump_json()
