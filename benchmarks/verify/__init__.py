"""Whatever in a record can be worked out again is, without any framework: does it agree?

Data, order, start and reference are made anew with NumPy, and the recorded steps are judged again; every timed
slice must end in parameters that are among them; statistics, verdicts and tables follow from the raw samples.
A record is not signed: edits of all its parts that agree, raw samples included, are not noticed.
A record may come from anybody: it cannot make this open a file that is not beside it, nor work without end.
"""

from .findings import Findings
from .times import BenchmarkDocument
from .verify import Rendering, verify

__all__ = ["BenchmarkDocument", "Findings", "Rendering", "verify"]
