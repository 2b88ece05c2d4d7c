"""The seam to aioice: one generation of ICE that trickles. Only its modules know aioice's private names.

aioice gathers all candidates before it lets anybody see one, and will not connect before that. :class:`Generation` is
an aioice connection that does otherwise, as the RFCs describe it. Each module says what it does otherwise than aioice,
and lists the private names that it uses:

    _generation    sockets, candidates, and what users see
    _checks        what is checked, nominated and given up; consent, roles, and what sockets receive
    _servers       STUN and TURN
    _pairs         candidates and pairs, between aioice's shape and ours
    _sockets       sockets and transactions
"""

from ._generation import Generation
from ._pairs import OwnCandidate
from ._servers import Way, failure, reflexive_address
from ._sockets import MAX_CANDIDATES, MAX_PAIRS, Socket, host_addresses

__all__ = [
    "MAX_CANDIDATES",
    "MAX_PAIRS",
    "Generation",
    "OwnCandidate",
    "Socket",
    "Way",
    "failure",
    "host_addresses",
    "reflexive_address",
]
