"""``python -m peer timeline``: shows recordings as text, or draws a picture of them."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ._entries import Entry, merged, parse_cut
from ._picture import as_html, as_svg
from ._terminal import Terminal, complain
from ._text import as_text

_DESCRIPTION = """\
Show what happened at one or several connections on one time line. A FILE is a recording: what peer.tools.record() or
"python -m peer gather --json" has written. Of one whose last line is cut off, the rest is shown."""
_EPILOG = """\
exit status:
  0    done
  1    a file cannot be read, is no recording or has nothing in it, or the output cannot be written
  2    the command line is wrong
  130  Ctrl-C"""
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
        entries = merged([(file, _read(parser.prog, file)) for file in options.files])
        if not entries:
            raise ValueError(f"{', '.join(options.files)}: nothing was recorded")
        if options.output:
            _write(options.output, _FORMS[options.output.suffix](entries))
            return 0
    except ValueError as error:
        complain(parser.prog, str(error))
        return 1
    terminal = Terminal()
    terminal.write(as_text(entries, colours=terminal.colours))
    return 0


def _read(who: str, file: str) -> list[Entry]:
    """The entries of a *file*; *who* complains of a last line that is cut off. Raises ValueError, with a sentence."""
    try:
        entries, cut = parse_cut(_text(file))
    except UnicodeDecodeError:
        raise ValueError(f"{file}: this is no text in UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror}") from None
    if cut is not None:
        complain(who, f"{file}: line {cut}, the last one, is cut off and left out")
    return entries


def _text(file: str) -> str:
    if file != "-":
        return Path(file).read_text(encoding="utf-8")
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    return sys.stdin.read()


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: cannot be written: {error.strerror}") from None
