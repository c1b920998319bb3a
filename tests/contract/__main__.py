"""Record the contract again: `python -m tests.contract`; with `--check` only compare, and print what differs."""

import argparse
import sys

from tests.contract.recording import RECORDED, differences, read, record, write


def main() -> int:
    """Record, or compare with what was recorded."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 on a difference")
    options = parser.parse_args()
    before, after = read() if RECORDED.exists() else {}, record()
    found = list(differences(before, after))
    for line in found:
        print(line)
    if not options.check:
        write(after)
        print(f"{RECORDED}: {sum(len(cases) for cases in after.values())} entries.")
        return 0
    return 1 if found else 0


sys.exit(main())
