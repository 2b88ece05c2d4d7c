"""Standard output, as those who run a command see it: lines and, on a terminal, colours and a line of progress."""

from __future__ import annotations

import os
import shutil
from typing import TextIO


class Terminal:
    """Writes to *file*, which need not be a terminal: then there are no colours and no progress."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._is_terminal = file.isatty() and os.environ.get("TERM") != "dumb"  # never changes
        self._has_progress = False  # whether a progress line is shown
        self.colours = self._is_terminal and not os.environ.get("NO_COLOR")  # https://no-color.org; never changes

    def line(self, text: str = "") -> None:
        """Write a line, which somebody may wait for."""
        self.clear()
        self._file.write(text + "\n")
        self._file.flush()

    def progress(self, text: str) -> None:
        """Show *text* below the lines until the next line comes, or the next progress."""
        if self._is_terminal:
            self.clear()
            self._file.write(text[: shutil.get_terminal_size().columns - 1])
            self._file.flush()
            self._has_progress = True

    def clear(self) -> None:
        """Take the progress away."""
        if self._has_progress:
            self._file.write("\r\x1b[K")
            self._file.flush()
            self._has_progress = False
