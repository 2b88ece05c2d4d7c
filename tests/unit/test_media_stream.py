"""MediaStream by itself: its constructor, its tracks, its id."""

from __future__ import annotations

import uuid

import aiortc
import pytest

from peer import MediaStream, MediaStreamTrackEvent
from peer._media_stream import stream_ids


@pytest.fixture
def audio():
    return aiortc.AudioStreamTrack()


@pytest.fixture
def video():
    return aiortc.VideoStreamTrack()


def test_a_stream_has_an_id_of_its_own():
    one, other = MediaStream(), MediaStream()
    assert one.id != other.id
    assert str(uuid.UUID(one.id)) == one.id


def test_a_stream_is_made_of_nothing_of_tracks_or_of_the_tracks_of_another(audio, video):
    assert MediaStream().getTracks() == []
    stream = MediaStream([audio, video, audio])
    assert stream.getTracks() == [audio, video]
    assert MediaStream(track for track in (video,)).getTracks() == [video]
    copy = MediaStream(stream)
    assert (copy.getTracks(), copy.id == stream.id) == ([audio, video], False)
    copy.removeTrack(audio)
    assert stream.getTracks() == [audio, video]
    assert repr(copy) == f"<MediaStream {copy.id} 1 tracks>"


def test_tracks_are_there_once_and_are_found_by_kind_and_id(audio, video):
    stream = MediaStream()
    for track in (audio, video, audio):
        stream.addTrack(track)
    assert stream.getTracks() == [audio, video]
    assert (stream.getAudioTracks(), stream.getVideoTracks()) == ([audio], [video])
    assert stream.getTrackById(video.id) is video
    for _ in range(2):
        stream.removeTrack(video)
        assert stream.getTracks() == [audio]
    assert stream.getTrackById(video.id) is None
    stream.getTracks().clear()
    assert stream.getTracks() == [audio]


def test_a_stream_is_active_while_one_of_its_tracks_lives(audio, video):
    stream = MediaStream()
    assert not stream.active
    stream = MediaStream([audio, video])
    audio.stop()
    assert stream.active
    video.stop()
    assert not stream.active


@pytest.mark.parametrize("wrong", [None, 5, "track", [None], ["track"], object()])
def test_what_is_neither_a_stream_nor_tracks_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        MediaStream(wrong)


@pytest.mark.parametrize("wrong", [None, "track", MediaStream()])
def test_what_is_no_track_cannot_be_added(wrong):
    with pytest.raises(TypeError, match="is no track"):
        MediaStream().addTrack(wrong)


def test_changes_of_ones_own_fire_nothing(audio):
    stream, events = MediaStream(), []
    stream.onaddtrack = stream.onremovetrack = events.append
    stream.addTrack(audio)
    stream.removeTrack(audio)
    assert events == []
    stream.dispatchEvent(MediaStreamTrackEvent("addtrack", {"track": audio}))
    assert [(event.type, event.track, event.target) for event in events] == [("addtrack", audio, stream)]


def test_the_ids_of_streams_are_there_once():
    one, two = MediaStream(), MediaStream()
    assert stream_ids([]) == ()
    assert stream_ids((two, one, two)) == (two.id, one.id)


@pytest.mark.parametrize("wrong", [None, 5, "one", ["one"], [None], MediaStream()])
def test_what_is_no_list_of_streams_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="is no"):
        stream_ids(wrong)
