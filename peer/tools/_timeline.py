"""``python -m peer timeline``: shows recordings as text, or draws a picture of them."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ._entries import Entry, merged, parse
from ._picture import as_html, as_svg
from ._terminal import Terminal
from ._text import as_text

_DESCRIPTION = """\
Show what happened at one or several connections on one time line. A FILE is a recording: what peer.tools.record() or
"python -m peer gather --json" has written."""
_EPILOG = """\
exit status:
  0    done
  1    a file cannot be read or written, or is no recording
  2    the command line is wrong"""
_FORMS = {".svg": as_svg, ".html": as_html}


def add_to(commands: Any) -> None:
    """Add this command to those of an argparse parser."""
    parser = commands.add_parser(
        "timeline",
        help="show recordings on a time line",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help='"-" is standard input')
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PICTURE",
        help="write a picture to this file, .svg or .html, instead of text to standard output",
    )
    parser.set_defaults(run=partial(_run, parser))


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.output and options.output.suffix not in _FORMS:
        parser.error(f"argument -o: {options.output} ends neither with .svg nor with .html")
    try:
        entries = merged([(file, _read(file)) for file in options.files])
        if options.output:
            options.output.write_text(_FORMS[options.output.suffix](entries), encoding="utf-8")
            return 0
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    sys.stdout.write(as_text(entries, colours=Terminal(sys.stdout).colours))
    return 0


def _read(file: str) -> list[Entry]:
    try:
        return parse(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
