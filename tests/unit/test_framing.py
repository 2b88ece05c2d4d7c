import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer._framing import LONGEST, Deframer, framed


def test_a_datagram_is_preceded_by_its_length():
    assert framed(b"abc") == b"\x00\x03abc"
    assert framed(bytes(LONGEST)) == b"\xff\xff" + bytes(LONGEST)


def test_what_is_longer_cannot_be_framed():
    with pytest.raises(OverflowError):
        framed(bytes(LONGEST + 1))


@given(st.lists(st.binary(max_size=40)), st.integers(1, 9))
def test_datagrams_arrive_however_the_stream_is_cut(datagrams, size):
    stream = b"".join(map(framed, datagrams))
    deframer = Deframer()
    arrived = [d for i in range(0, len(stream), size) for d in deframer.datagrams(stream[i : i + size])]
    assert arrived == [datagram for datagram in datagrams if datagram]


def test_one_chunk_can_bring_several_and_a_part():
    deframer = Deframer()
    assert deframer.datagrams(framed(b"one") + framed(b"two") + b"\x00") == [b"one", b"two"]
    assert deframer.datagrams(b"\x05thr") == []
    assert deframer.datagrams(b"ee") == [b"three"]
    assert deframer.datagrams(b"") == []
