"""Fail when a wheel puts anything but `samestep` and its metadata into site-packages.

Usage: wheel_names.py WHEEL. Another project's `benchmarks` or `tests` would overwrite ours, or ours theirs.
"""

import sys
import zipfile


def main(wheel: str) -> int:
    files = zipfile.ZipFile(wheel).namelist()
    names = {file.partition("/")[0] for file in files}
    wrong = sorted(name for name in names if name != "samestep" and not name.startswith("samestep-"))
    needed = ("samestep/backends/spec.py", "samestep/benchmarks/cli.py", "samestep/py.typed")
    missing = [file for file in needed if file not in files]
    print(f"{len(files)} files under {', '.join(sorted(names))}")
    for line in (
        *(f"not ours to install: {name}" for name in wrong),
        *(f"missing: {file}" for file in missing),
    ):
        print(line)
    return int(bool(wrong or missing))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
