"""The tests of the examples get what those in tests/ get: a look at what they left behind, and networks."""

from tests.conftest import _measuring, _residue, loop_errors, network, networks

__all__ = ["_measuring", "_residue", "loop_errors", "network", "networks"]
