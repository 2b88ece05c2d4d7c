"""Rejected m-lines (RFC 9429, section 5.3.1), which aiortc neither writes nor reads. Pure text.

- What we write: aiortc describes every m-line as if it were accepted. :func:`reject` gives the rejected ones the port 0
  and takes them out of the BUNDLE group.
- What we read: aiortc wants ICE and DTLS parameters and a codec of every m-line. :func:`accept` gives it, for the
  rejected ones, those of an accepted m-line, and bundles the two: so aiortc takes the m-line for an inactive one that
  shares a transport, and stops the transport that it had. Where all m-lines are rejected there is nothing to share, and
  the text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_SECTIONS = re.compile(r"(?m)^(?=m=)")
_MEDIA = re.compile(r"m=(\S+) \d+ (\S+) [^\r\n]*")
_PARAMETERS = re.compile(r"(?m)^a=(?:ice-ufrag|ice-pwd|fingerprint|setup):[^\r\n]*\r?\n")
_GROUP = re.compile(r"(?m)^a=group:BUNDLE[^\r\n]*")
# A payload type of each kind that aiortc knows, whatever was rejected; nothing is ever sent with it.
_FORMATS = {
    "audio": ("0", "a=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\n"),
    "video": ("96", "a=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"),
    "application": ("webrtc-datachannel", "a=sctp-port:5000\r\n"),
}


def reject(sdp: str, mids: Collection[str]) -> str:
    """*sdp* with the m-lines of these mids rejected."""
    if not mids:
        return sdp
    session, *sections = _SECTIONS.split(sdp)
    session = _GROUP.sub(lambda group: " ".join(word for word in group[0].split(" ") if word not in mids), session)
    return session + "".join(
        re.sub(r"^(m=\S+) \d+", r"\1 0", section) if _mid(section) in mids else section for section in sections
    )


def accept(sdp: str, rejected: Collection[str]) -> str:
    """*sdp* with the m-lines of the *rejected* mids as inactive ones that are bundled with an accepted one."""
    session, *sections = _SECTIONS.split(sdp)
    host = next((section for section in sections if _mid(section) not in rejected and "a=ice-ufrag:" in section), None)
    if not rejected or host is None:
        return sdp
    parameters = "".join(_PARAMETERS.findall(host))
    group = _GROUP.search(session)
    members = [word for word in group[0].split(" ")[1:] if word not in rejected] if group else []
    members = members or [_mid(host)]
    bundle = " ".join(["a=group:BUNDLE", *members, *rejected])
    session = _GROUP.sub(lambda _: bundle, session, count=1) if group else f"{session}{bundle}\r\n"
    return session + "".join(
        _inactive(section, parameters) if _mid(section) in rejected else section for section in sections
    )


def _mid(section: str) -> str:
    found = re.search(r"(?m)^a=mid:([^\r\n]*)", section)
    return found[1] if found else ""


def _inactive(section: str, parameters: str) -> str:
    media = _MEDIA.match(section)
    kind, protocol = (media[1], media[2]) if media else ("", "")
    format, attributes = _FORMATS.get(kind, ("0", ""))
    return (
        f"m={kind} 9 {protocol} {format}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{_mid(section)}\r\n"
        f"{attributes}{parameters}"
    )
