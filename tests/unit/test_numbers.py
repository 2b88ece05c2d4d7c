"""The numbers of codecs and header extensions in an offer."""

from __future__ import annotations

from aiortc import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

from peer._numbers import identifiers, number_codecs, number_extensions, payload_types


def codec(number, name="video/VP8", **parameters):
    return RTCRtpCodecParameters(mimeType=name, clockRate=90000, payloadType=number, parameters=parameters)


def extension(number, uri):
    return RTCRtpHeaderExtensionParameters(id=number, uri=uri)


def numbers(codecs):
    return [codec.payloadType for codec in codecs]


def test_what_was_negotiated_keeps_its_number_whatever_aiortc_would_give_it():
    negotiated = payload_types([codec(111), codec(112, "video/rtx", apt=111)])
    offered = [codec(97), codec(98, "video/rtx", apt=97)]
    number_codecs(offered, negotiated, {})
    assert numbers(offered) == [111, 112]
    assert offered[1].parameters["apt"] == 111


def test_what_another_m_line_has_negotiated_has_its_number():
    shared = payload_types([codec(111)])
    offered = [codec(97), codec(98, "video/H264")]
    number_codecs(offered, {}, shared)
    assert numbers(offered) == [111, 98]
    assert len(shared) == 2


def test_what_is_new_gives_way_to_what_was_negotiated():
    negotiated = payload_types([codec(98, "video/H264")])
    offered = [codec(97, "video/H264"), codec(98)]
    number_codecs(offered, negotiated, {})
    assert numbers(offered) == [98, 96]


def test_variants_of_a_codec_are_different_codecs():
    shared = {}
    offered = [codec(97, "video/H264", **{"profile-level-id": level}) for level in ("42001f", "42e01f")]
    number_codecs(offered, {}, shared)
    assert len(set(numbers(offered))) == 2
    assert payload_types(offered).keys() == shared.keys()


def test_a_retransmission_of_nobody_stays_what_it_is():
    assert list(payload_types([codec(98, "video/rtx")]).values()) == [98]


def test_extensions_are_numbered_likewise():
    mid, level = "urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    negotiated = identifiers([extension(9, mid)])
    offered = [extension(1, mid), extension(2, level), extension(1, "urn:other")]
    shared = {}
    number_extensions(offered, negotiated, shared)
    assert [each.id for each in offered] == [9, 1, 2]
