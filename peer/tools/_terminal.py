"""The standard streams, as those who run a command see them: lines and, on a terminal, colours and a line of progress.

Any of the streams may be closed, and standard output may be a full disk, or a pipe that nobody reads any more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator


class Unwritable(Exception):
    """Standard output takes nothing any more; *sentence* says why, if somebody may want to know."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@contextlib.contextmanager
def written() -> Iterator[None]:
    """Write all that is put to standard output inside. Raises Unwritable, and only then nothing is left to be written.

    An argument that ends the program, ``--help`` for one, does so when it was written, too.
    """
    try:
        try:
            yield
        finally:
            with _writing():
                if sys.stdout is not None:
                    sys.stdout.flush()
    except Unwritable:
        if sys.stdout is not None:  # the interpreter would complain when it flushes
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # nobody reads on, and who does so knows it
        raise Unwritable("") from None
    except OSError as error:
        raise Unwritable(f"cannot write to standard output: {error.strerror}") from None


def complain(who: str, sentence: str) -> None:
    """Tell on standard error what is wrong, if anybody can hear it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{who}: {sentence}\n")


class Terminal:
    """Writes to standard output, which need not be a terminal: then there are no colours and no progress.

    What writes raises Unwritable.
    """

    def __init__(self) -> None:
        if sys.stdout is None:
            raise Unwritable("standard output is closed")
        self._file = sys.stdout
        self._is_terminal = self._file.isatty() and os.environ.get("TERM") != "dumb"  # never changes
        self._has_progress = False  # whether a progress line is shown
        self.colours = self._is_terminal and not os.environ.get("NO_COLOR")  # https://no-color.org; never changes

    def line(self, text: str = "") -> None:
        """Write a line, which somebody may wait for."""
        self.clear()
        self.write(text + "\n")

    def write(self, text: str) -> None:
        """Write *text*, which somebody may wait for."""
        with _writing():
            self._file.write(text)
            self._file.flush()

    def progress(self, text: str) -> None:
        """Show *text* below the lines until the next line comes, or the next progress."""
        if self._is_terminal:
            self.clear()
            self.write(text[: shutil.get_terminal_size().columns - 1])
            self._has_progress = True

    def clear(self) -> None:
        """Take the progress away."""
        if self._has_progress:
            self._has_progress = False
            self.write("\r\x1b[K")
