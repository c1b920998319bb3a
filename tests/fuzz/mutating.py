"""Run one target under atheris: `python -m tests.fuzz.mutating TARGET` and libFuzzer's own arguments."""

import logging
import sys

import atheris

from tests.fuzz.targets import TARGETS


def main() -> None:
    """Import the target's module with its branches counted, and throw input at it until libFuzzer ends the process."""
    program, name, *arguments = sys.argv
    target = TARGETS[name]
    with atheris.instrument_imports(include=list(target.measured)):
        check = target.check
    logging.disable(logging.CRITICAL)
    atheris.Setup([program, *arguments], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
