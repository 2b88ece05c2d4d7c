"""The numbers of codecs and header extensions in an offer (RFC 9429, sections 5.2.1 and 5.2.2). Pure.

aiortc gives out the same numbers in each offer, whatever was negotiated. But a number that was negotiated keeps its
meaning: what has begun to send and receive goes on with it, and browsers refuse an offer that says otherwise. So:

- What an m-line has negotiated keeps its number there. Where it was negotiated for another m-line only, it has that
  one's number, for both may share a transport.
- What is new has the number that it has in Chromium's offers, else that in aiortc's, or a free one if that means
  something else. Chromium refuses an offer that gives an extension another identifier than an offer of its own has that
  it takes back for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from aiortc import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

_PAYLOAD_TYPES = range(96, 128)  # those that mean nothing by themselves (RFC 3551, section 6)
_IDENTIFIERS = range(1, 15)  # those of one-byte headers (RFC 8285, section 4.2)
_CHROMIUM = {
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level": 1,
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": 2,
    "urn:ietf:params:rtp-hdrext:sdes:mid": 4,
}

Numbers = dict[Hashable, int]  # by what they mean


def payload_types(codecs: Sequence[RTCRtpCodecParameters]) -> Numbers:
    """The payload types of negotiated *codecs*; the first one of each, for a remote side may know variants of it."""
    return {meaning: codec.payloadType or 0 for codec, meaning in reversed(_meanings(codecs))}


def identifiers(extensions: Iterable[RTCRtpHeaderExtensionParameters]) -> Numbers:
    """The identifiers of negotiated header *extensions*."""
    return {extension.uri: extension.id for extension in extensions}


def number_codecs(codecs: Sequence[RTCRtpCodecParameters], own: Numbers, shared: Numbers) -> None:
    """Number the *codecs* that are offered for an m-line.

    *own* are the numbers that were negotiated for it, *shared* those of all m-lines, to which new ones are added.
    """
    given: dict[int | None, int] = {}
    for codec, meaning in _meanings(codecs):
        liked = codec.payloadType or 0
        given[liked] = codec.payloadType = _number(meaning, liked, own, shared, _PAYLOAD_TYPES)
    for codec in codecs:
        if "apt" in codec.parameters:
            codec.parameters["apt"] = given[_associated(codec)]


def number_extensions(extensions: Iterable[RTCRtpHeaderExtensionParameters], own: Numbers, shared: Numbers) -> None:
    """Number the header *extensions* that are offered for an m-line; see :func:`number_codecs`."""
    for extension in extensions:
        extension.id = _number(extension.uri, _CHROMIUM.get(extension.uri, extension.id), own, shared, _IDENTIFIERS)


def _number(meaning: Hashable, liked: int, own: Numbers, shared: Numbers, pool: Iterable[int]) -> int:
    if meaning in own:
        return own[meaning]
    if meaning not in shared:
        taken = {*own.values(), *shared.values()}
        shared[meaning] = next(number for number in (liked, *pool) if number not in taken)
    return shared[meaning]


def _meanings(codecs: Sequence[RTCRtpCodecParameters]) -> list[tuple[RTCRtpCodecParameters, Hashable]]:
    """The *codecs*, each with what its number means: for a retransmission, the codec that is sent again, too."""
    by_number = {codec.payloadType: codec for codec in codecs}
    return [(codec, (_meaning(codec), _meaning(by_number.get(_associated(codec), codec)))) for codec in codecs]


def _meaning(codec: RTCRtpCodecParameters) -> Hashable:
    parameters = frozenset((name, str(value)) for name, value in codec.parameters.items() if name != "apt")
    return codec.mimeType.lower(), codec.clockRate, parameters


def _associated(codec: RTCRtpCodecParameters) -> int | None:
    number = codec.parameters.get("apt")
    return number if isinstance(number, int) else None
