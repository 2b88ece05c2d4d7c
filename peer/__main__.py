"""Tools for the command line: ``python -m peer --help`` lists them."""

from __future__ import annotations

import argparse
import io
import sys

from .tools import _gather, _timeline
from .tools._terminal import Unwritable, complain, written


def main() -> int:
    """Run the command that the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m peer", description="Look at what ICE does.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (_gather, _timeline):
        command.add_to(commands)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what it cannot write is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with written():
            options = parser.parse_args()
            status: int = options.run(options)
    except Unwritable as error:
        if error.sentence:
            complain(parser.prog, error.sentence)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
