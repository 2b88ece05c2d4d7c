"""Tools for the command line: ``python -m peer --help`` lists them."""

from __future__ import annotations

import argparse
import io
import os
import sys


def main() -> int:
    """Run the command that the command line names; returns the exit status."""
    try:
        return run()
    except KeyboardInterrupt:
        return 130


def run() -> int:
    """The same, unless Ctrl-C ends it."""
    from .tools import _gather, _timeline  # which takes a while: Ctrl-C may come meanwhile

    parser = argparse.ArgumentParser(prog="python -m peer", description="Look at what ICE does.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (_gather, _timeline):
        command.add_to(commands)
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):  # what it cannot write is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on; the interpreter would complain when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
