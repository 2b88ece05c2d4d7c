"""Whether a remote description can be applied (webrtc-pc 4.4.1.5; RFC 9429, section 5.8). Pure.

Whatever makes a description unfit is found here, before anything is changed. What is asked, with the errors that the
W3C names:

1. Is it SDP (RFC 8866)? Do the lines that count here follow their grammar? RTCError, with the number of the line.
   aiortc's parser is asked, too, for those that count there only.
2. Does it have what WebRTC cannot do without? An m-line that is not rejected has ICE credentials of the right length, a
   fingerprint that can be verified, and a DTLS role; one for media multiplexes RTCP. What a bundled m-line does not
   say, the first one of its group says for it (RFC 9143, section 7.1.3). InvalidAccessError.
3. Is it consistent? Each mid names one m-line, each group names m-lines that are there, no m-line is in two groups.
   InvalidAccessError.
4. Does it fit what it answers, or what was negotiated? An answer has the m-lines of its offer, and bundles nothing that
   the offer does not. An offer has the m-lines that were negotiated, where they were; those that were rejected may be
   put to another use. An answer restarts ICE if its offer does. InvalidAccessError.
5. Is it more than we can do? OperationError.

An answer need not say its DTLS role: both browsers take it to be active.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from ._description import LINE_TYPE, Credentials, Description, Section
from ._errors import InvalidAccessError, OperationError, sdp_syntax_error

_TOKEN = r"[!#-'*+.0-9A-Z^-~-]+"  # RFC 8866, section 9
_PORT = r"(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
# Lines that count here and that aiortc lets pass, by how they begin.
_GRAMMAR = {
    "a=extmap": re.compile(r"a=extmap:[1-9]\d*(/\S+)? \S.*"),
    "a=fingerprint": re.compile(r"a=fingerprint:\S+ [0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*"),
    "a=mid": re.compile(f"a=mid:{_TOKEN}"),
    "a=msid": re.compile(r"a=msid:\S+( \S+)?"),
    "a=sctp-port": re.compile(f"a=sctp-port:{_PORT}"),
    "a=setup": re.compile("a=setup:(active|passive|actpass|holdconn)"),
    "m": re.compile(rf"m=(?!\S+ \S+ UDP/DTLS/SCTP (?!webrtc-datachannel$))\S+ {_PORT}(/\d+)? \S+( \S+)+"),
    "o": re.compile(r"o=\S+ \d+ \d+ \S+ \S+ \S+"),
}
_HASHES = {"sha-256", "sha-384", "sha-512"}  # those that aiortc can verify
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")  # RFC 8839, section 5.4
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_ROLES = {"offer": ("actpass", "active", "passive"), "pranswer": ("active", "passive", None)}
_ROLES["answer"] = _ROLES["pranswer"]


def check(description: Description, offer: Description | None, last: Sequence[Description]) -> None:
    """Raise unless the remote *description*, whose m-lines all have a mid by now, can be applied.

    An answer is one to our *offer*. For an offer, *last* are the descriptions that were set last: that of the remote
    side first, and then our own, if it has the same m-lines.
    """
    check_syntax(description.text)
    for section in description.sections:
        if not section.rejected:
            _check_transport(description.type, section, _speaker(description, section))
    _check_groups(description)
    if offer is not None:
        _check_answer(description, offer)
    elif last:
        _check_offer(description, last)
    kinds = [section.kind for section in description.sections]
    for kind in kinds:
        if kind not in ("audio", "video", "application"):
            raise OperationError(f"there is an m-line of the kind {kind}, which is not supported")
    if kinds.count("application") > 1:
        raise OperationError("there are two m-lines for data, which is not supported")


def check_syntax(sdp: str) -> None:
    """Raise RTCError unless the lines of *sdp* are those of a session description."""
    lines = [line.rstrip(" \t\r") for line in sdp.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        name = line.partition(":")[0] if line.startswith("a=") else line[:1]
        if (
            not LINE_TYPE.match(line)
            or "\0" in line
            or "\r" in line
            or (name in _GRAMMAR and not _GRAMMAR[name].fullmatch(line))
        ):
            raise sdp_syntax_error(f"line {number} is {line!r}", number)
    types = "".join(line[0] for line in itertools.takewhile(lambda line: not line.startswith("m="), lines))
    if not types.startswith("vos") or "t" not in types:
        raise sdp_syntax_error("it begins with the lines v=, o=, s= and t=", 1)


def _speaker(description: Description, section: Section) -> Section:
    """The m-line that says what is true of the transport of *section*."""
    if section.mid not in description.group:
        return section
    members = {member.mid: member for member in description.sections if not member.rejected}
    return next(members[mid] for mid in description.group if mid in members)


def _check_transport(type: str, section: Section, speaker: Section) -> None:
    what = f"the m-line {section.mid}"
    told = section if type == "offer" and (section.ufrag or section.password) else speaker
    if not _UFRAG.fullmatch(told.ufrag or "") or not _PASSWORD.fullmatch(told.password or ""):
        raise InvalidAccessError(f"{what} has no ICE credentials, or such that cannot be")
    if _HASHES.isdisjoint(section.hashes or speaker.hashes):
        raise InvalidAccessError(f"{what} has no fingerprint that can be verified")
    role = section.setup or speaker.setup
    if role not in _ROLES[type]:
        raise InvalidAccessError(f"{what} has a DTLS role that an {type} cannot have: {role}")
    if section.kind in ("audio", "video") and not (section.multiplexed or speaker.multiplexed):
        raise InvalidAccessError(f"{what} does not multiplex RTCP")


def _check_groups(description: Description) -> None:
    mids = [section.mid for section in description.sections]
    if len(set(mids)) < len(mids):
        raise InvalidAccessError("two m-lines have the same mid")
    members = list(itertools.chain.from_iterable(description.groups))
    if not {*members} <= {*mids}:
        raise InvalidAccessError("the BUNDLE group names an m-line that does not exist")
    if len(set(members)) < len(members):
        raise InvalidAccessError("an m-line is in two BUNDLE groups")


def _check_answer(answer: Description, offer: Description) -> None:
    if [(s.kind, s.mid) for s in answer.sections] != [(s.kind, s.mid) for s in offer.sections]:
        raise InvalidAccessError("the m-lines of the answer are not those of the offer")
    if not {*answer.group} <= {*offer.group} - {*answer.rejected}:
        raise InvalidAccessError("the answer bundles m-lines that it rejects, or that are not bundled in the offer")


def _check_offer(offer: Description, last: Sequence[Description]) -> None:
    if len(offer.sections) < len(last[0].sections):
        raise InvalidAccessError("the offer has fewer m-lines than were negotiated")
    if {*offer.group} & {*offer.rejected}:
        raise InvalidAccessError("the offer bundles an m-line that it rejects")
    for index, (ours, known) in enumerate(zip(offer.sections, last[0].sections, strict=False)):
        free = any(description.sections[index].rejected for description in last)
        if (ours.kind, ours.mid) != (known.kind, known.mid) and not free:
            raise InvalidAccessError(f"the m-line {known.mid} was negotiated where the offer has another")
    known_mids = [section.mid for section in last[0].sections]
    for index, section in enumerate(offer.sections):
        if section.mid in known_mids and known_mids.index(section.mid) != index:
            raise InvalidAccessError(f"the m-line {section.mid} was negotiated elsewhere")


def check_restart(
    answer: Description, offer: Description, local: Description | None, remote: Description | None
) -> None:
    """Raise InvalidAccessError if *answer* restarts ICE and our *offer* does not.

    *local* and *remote* are the descriptions that were negotiated last.
    """
    if local is None or remote is None:
        return
    last = local if local.type == "answer" else remote
    theirs = _restarted(answer.credentials(answer.group), remote.credentials(last.group))
    if theirs - _restarted(offer.credentials(answer.group), local.credentials(last.group)):
        raise InvalidAccessError("the answer restarts ICE, which the offer does not")


def _restarted(new: Credentials, last: Credentials) -> set[str]:
    """The mids that have other credentials in *new* than in *last*; see Description.credentials()."""
    return {mid for mid in new.keys() & last.keys() if new[mid] != last[mid]}
