"""Records what happens at connections, and shows it on a time line.

from peer.tools import as_text, record

entries = []
record(alice, "alice", entries.append)
record(bob, "bob", entries.append)
...
print(as_text(entries))
"""

from ._entries import Entry, parse
from ._picture import as_html, as_svg
from ._recording import now, record
from ._text import as_line, as_text

__all__ = ["Entry", "as_html", "as_line", "as_svg", "as_text", "now", "parse", "record"]
