"""DTLS: what the handshake agrees on, and what each side needs of it (RFC 8842, RFC 5764)."""

from __future__ import annotations

import asyncio

import aiortc
import pytest
from aiortc import AudioStreamTrack
from OpenSSL import SSL
from peers import connect, heard, negotiate, open_peers, opened_by


def without_srtp():
    """A configuration whose handshakes have no use_srtp, like those of a library that has data channels only."""
    certificate = aiortc.RTCCertificate.generateCertificate()

    def context(srtp_profiles):
        made = SSL.Context(SSL.DTLS_METHOD)
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        made.use_certificate(certificate._cert)
        made.use_privatekey(certificate._key)
        return made

    certificate._create_ssl_context = context
    return {"certificates": [certificate]}


@pytest.mark.parametrize("offers", [True, False], ids=["offers", "answers"])
async def test_who_has_data_channels_only_need_not_know_srtp(offers):
    async with open_peers(without_srtp(), None) as (lacking, ours):
        offerer, answerer = (lacking, ours) if offers else (ours, lacking)
        channel = await connect(offerer, answerer)
        opened_by(answerer).send("through")
        assert (await heard(channel, "message")).data == "through"
        assert ours.connectionState == "connected"


async def test_no_media_flows_to_who_does_not_know_srtp_and_channels_go_on(caplog):
    async with open_peers(without_srtp(), None) as (lacking, ours):
        channel = await connect(ours, lacking)
        ours.addTrack(AudioStreamTrack())
        lacking.addTrack(AudioStreamTrack())
        await negotiate(ours, lacking)
        opened_by(lacking).send("through")
        assert (await heard(channel, "message")).data == "through"
        assert ours.connectionState == "connected"
        assert "The other side does not know SRTP" in caplog.text


async def test_media_can_be_added_to_data_channels():
    async with open_peers(None, None) as (offerer, answerer):
        await connect(offerer, answerer)
        offerer.addTrack(AudioStreamTrack())
        found = asyncio.get_running_loop().create_future()
        answerer.ontrack = found.set_result
        await negotiate(offerer, answerer)
        frame = await (await found).track.recv()
        assert frame.samples == 960
        assert offerer.connectionState == answerer.connectionState == "connected"
