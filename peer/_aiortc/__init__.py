"""The seam to aiortc: the engine that does DTLS, SRTP and SCTP. Only its modules know aiortc's private names.

aiortc's connection believes that it owns its ICE. :class:`Engine` is that connection with our agents in place of
aioice's connections, in the one method through which all transports are made, and with a local offer that can be held
back: aiortc cannot take back a description, and needs a local offer no sooner than its answer. Each module lists the
private names that it uses:

    _engine     descriptions
    _carriers   transceivers, channels and transports, from their making to their end
    _parts      what aiortc makes of these, and what is done otherwise there

The engine never calls user code, and no event of its own reaches users: it calls the functions it was made with. It is
given descriptions without candidates, and an empty list of ICE servers, for its default is a public STUN server.
"""

from ._carriers import Media
from ._engine import Engine
from ._parts import Association, DtlsTransport, Receiver

__all__ = ["Association", "DtlsTransport", "Engine", "Media", "Receiver"]
