"""BUNDLE groups and rejected m-lines (RFC 9143; RFC 9429, sections 5.2 and 5.3), of which aiortc knows half. Pure text.

- What we write: aiortc describes every m-line as if it were accepted and had an address, and puts all of them into one
  group. :func:`regroup` writes the group that is meant: an answer's has only mids that the offer's has. :func:`reject`
  gives the rejected m-lines the port 0 and takes them out of the group. :func:`bundle_only` marks, in an offer, those
  that the bundle policy wants bundled or not at all: the port 0, and a=bundle-only.
- What we read: aiortc wants ICE and DTLS parameters and a codec of every m-line. :func:`accept` gives it, for the
  rejected ones, those of an accepted m-line, so that aiortc takes the m-line for an inactive one; where all are
  rejected, parameters of nobody. Those that we refuse, for they have no codec that aiortc knows, get one.
  :func:`shared` tells which m-lines are to share a transport. aiortc is shown no group: to it, sharing means that a
  transport is stopped, whoever else may use it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence

from ._description import parts

_MEDIA = re.compile(r"m=(\S+) (\d+) (\S+) [^\r\n]*")
_PARAMETERS = re.compile(r"(?m)^a=(?:ice-ufrag|ice-pwd|fingerprint|setup):[^\r\n]*\r?\n")
_CODECS = re.compile(r"(?m)^a=(?:rtpmap|fmtp|rtcp-fb):[^\r\n]*\r*\n?")
_NOBODY = (
    f"a=ice-ufrag:none\r\na=ice-pwd:{'none' * 6}\r\na=fingerprint:sha-256 {':'.join(['00'] * 32)}\r\na=setup:active\r\n"
)
_GROUP = re.compile(r"(?m)^a=group:BUNDLE((?: [^\r\n]*)?)\r*\n?")
# A payload type of each kind that aiortc knows, whatever was rejected; nothing is ever sent with it.
_FORMATS = {
    "audio": ("0", "a=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\n"),
    "video": ("96", "a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"),
    "application": ("webrtc-datachannel", "a=sctp-port:5000\r\n"),
}


def bundled(sdp: str) -> list[str]:
    """The mids of the first BUNDLE group."""
    session = parts(sdp)[0]
    group = _GROUP.search(session)
    return group[1].split() if group else []


def regroup(sdp: str, mids: Sequence[str]) -> str:
    """*sdp* with *mids* as its only BUNDLE group, where it has one; with none if there are no *mids*."""
    session, *sections = parts(sdp)
    line = f"a=group:BUNDLE {' '.join(mids)}\r\n" if mids else ""
    lines = itertools.chain([line], itertools.repeat(""))
    return "".join([_GROUP.sub(lambda _: next(lines), session), *sections])


def reject(sdp: str, mids: Collection[str]) -> str:
    """*sdp* with the m-lines of these mids rejected."""
    if not mids:
        return sdp
    session, *sections = parts(regroup(sdp, [mid for mid in bundled(sdp) if mid not in mids]))
    return session + "".join(_without_port(section) if _mid(section) in mids else section for section in sections)


def bundle_only(sdp: str, policy: str, apart: Collection[int]) -> str:
    """The offer *sdp* with the m-lines marked that *policy* wants bundled or not at all (RFC 9429, section 5.2.1).

    They are all but the first of each kind ("balanced"), or all but the first ("max-bundle"), of those that are not
    rejected. The indices *apart* are of m-lines that have a transport of their own, whatever the policy says.
    """
    session, *sections = parts(sdp)
    seen: set[str] = set()
    for index, section in enumerate(sections):
        media = _MEDIA.match(section)
        if media is None or media[2] == "0":
            continue
        if index not in apart and policy != "max-compat" and (media[1] in seen or (seen and policy == "max-bundle")):
            sections[index] = f"{_without_port(section)}a=bundle-only\r\n"
        seen.add(media[1])
    return "".join([session, *sections])


def accept(sdp: str, rejected: Collection[str], refused: Collection[str] = ()) -> str:
    """*sdp* without groups, with the m-lines of the *rejected* mids as inactive ones with parameters of another.

    Those of the *refused* mids have a codec that aiortc knows.
    """
    session, *sections = parts(sdp)
    session = _GROUP.sub("", session)
    if not rejected and not refused:
        return "".join([session, *sections])
    parameters = "".join(_PARAMETERS.findall(_host(sections, rejected))) or _NOBODY
    for index, section in enumerate(sections):
        if _mid(section) in rejected:
            sections[index] = _inactive(section, parameters)
        elif _mid(section) in refused:
            sections[index] = _understood(section)
    return "".join([session, *sections])


def shared(sdp: str, rejected: Collection[str]) -> list[str]:
    """The mids of the m-lines that share a transport, the one whose transport it is first.

    Without a group it is one that is accepted, alone: its transport will do for the *rejected* ones. Empty if there is
    none.
    """
    members = [mid for mid in bundled(sdp) if mid not in rejected]
    host = _host(parts(sdp)[1:], rejected)
    return members or ([_mid(host)] if host else [])


def _host(sections: Sequence[str], rejected: Collection[str]) -> str:
    accepted = (section for section in sections if _mid(section) not in rejected and "a=ice-ufrag:" in section)
    return next(accepted, "")


def _without_port(section: str) -> str:
    return re.sub(r"^(m=\S+) \d+", r"\1 0", section)


def _mid(section: str) -> str:
    found = re.search(r"(?m)^a=mid:([^\r\n]*)", section)
    return found[1] if found else ""


def _inactive(section: str, parameters: str) -> str:
    media = _MEDIA.match(section)
    kind, protocol = (media[1], media[3]) if media else ("", "")
    format, attributes = _FORMATS.get(kind, ("0", ""))
    return (
        f"m={kind} 9 {protocol} {format}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{_mid(section)}\r\n"
        f"{attributes}{parameters}"
    )


def _understood(section: str) -> str:
    media = _MEDIA.match(section)
    assert media is not None
    format, attributes = _FORMATS[media[1]]
    _, _, others = section.partition("\n")
    return f"m={media[1]} {media[2]} {media[3]} {format}\r\n{attributes}{_CODECS.sub('', others)}"
