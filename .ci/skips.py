"""Fail when a test was skipped whose name and reason match no line of the allowed list.

Usage: skips.py ALLOWED JUNIT_XML... A line of ALLOWED is a regular expression over "module::test: reason".
Of a module that is skipped as a whole pytest says "collection skipped" there, and its reason in the text.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def main(allowed: str, *reports: str) -> int:
    lines = Path(allowed).read_text(encoding="utf-8").splitlines()
    patterns = [re.compile(line) for line in lines if line.strip() and not line.startswith("#")]
    parts = [list(ElementTree.parse(report).getroot().iter("testcase")) for report in reports]
    cases = [case for part in parts for case in part]
    skipped = [
        f"{case.get('classname')}::{case.get('name')}: {reason(skip)}"
        for case in cases
        for skip in case.iter("skipped")
    ]
    wrong = [line for line in skipped if not any(pattern.search(line) for pattern in patterns)]
    print(f"{len(cases)} tests, {len(skipped)} skipped, {len(wrong)} of them not allowed")
    print("\n".join(wrong))
    return int(bool(wrong) or not all(parts))


def reason(skip: ElementTree.Element) -> str:
    message = skip.get("message", "")
    return f"{message} {skip.text}" if message == "collection skipped" else message


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
