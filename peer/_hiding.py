"""How the addresses of this host are hidden behind names (draft-ietf-mmusic-mdns-ice-candidates). Pure decisions.

- A connection has one name for each address, for all its transports and generations. It is random, so it tells nothing
  and is never met again.
- A host candidate, over UDP or TCP, carries the name in place of the address.
- What a server told of does not say from which address it was asked: the related address is 0.0.0.0 or ::, of the
  candidate's own family, and the related port 0, as in both browsers. That is so for relayed candidates, too, whose
  related address can be that of a host candidate where nothing translates addresses.
"""

from __future__ import annotations

import dataclasses
import uuid

from ._candidate import CandidateAttribute


class Names:
    """The names of one connection."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}  # by address; grows with each new one

    def of(self, address: str) -> str:
        """The name of an address."""
        return self._known.setdefault(address, f"{uuid.uuid4()}.local")

    def hidden(self, candidate: CandidateAttribute) -> CandidateAttribute:
        """What others may see of a candidate of ours."""
        if candidate.type == "host":
            return dataclasses.replace(candidate, address=self.of(candidate.address))
        nowhere = "::" if ":" in candidate.address else "0.0.0.0"
        return dataclasses.replace(candidate, related_address=nowhere, related_port=0)
