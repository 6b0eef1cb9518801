#!/usr/bin/env python3
"""Sums what the test runners wrote down and prints one closing line: "N passed, N failed".

usage: test_totals.py [--some-may-be-empty] FOLDER STAGE...

Reads FOLDER/STAGE.xml (JUnit, from ctest or pytest). A Check program is one ctest test of many
checks; its own closing line says how many, and a program that failed without one counts as one
failure. A stage without its file, or without a single test, is a failure: silence proves nothing.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

CHECK_LINE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)


def count_case(case):
    """(passed, failed, skipped) of one <testcase>."""
    bad = case.find("failure") is not None or case.find("error") is not None
    skipped = case.find("skipped")
    if skipped is not None and not bad:
        # ctest calls a program that it could not find skipped as well.
        missing = skipped.get("message", "").startswith("Unable to find executable")
        return (0, 1, 0) if missing else (0, 0, 1)
    checks = CHECK_LINE.findall(case.findtext("system-out") or "")
    if not checks:
        return (0, 1, 0) if bad else (1, 0, 0)
    total = sum(int(row[0]) for row in checks)
    failed = sum(int(row[1]) + int(row[2]) for row in checks)
    if bad and failed == 0:
        return total, 1, 0  # all checks passed, and then the program failed: a leak, say
    return total - failed, failed, 0


def count_stage(path):
    counts = [0, 0, 0]
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        counts = [a + b for a, b in zip(counts, count_case(case))]
    return counts


def main(arguments):
    may_be_empty = "--some-may-be-empty" in arguments
    folder, *stages = [a for a in arguments if not a.startswith("--")]
    passed = failed = 0
    print("\n== totals")
    for stage in stages:
        try:
            stage_passed, stage_failed, skipped = count_stage(pathlib.Path(folder, stage + ".xml"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"{stage:<18} no result: {error}")
            failed += 1
            continue
        note = f", {skipped} skipped" if skipped else ""
        if stage_passed + stage_failed == 0 and not may_be_empty:
            note += "  <- no test ran, which is a failure"
            stage_failed = 1
        print(f"{stage:<18} {stage_passed} passed, {stage_failed} failed{note}")
        passed += stage_passed
        failed += stage_failed
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
