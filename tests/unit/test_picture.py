import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from peer.tools import as_html, as_svg, parse
from peer.tools._lanes import _LANE_OF, LANES

SVG = "{http://www.w3.org/2000/svg}"
CANDIDATE = {"candidate": "candidate:...", "address": "192.0.2.1", "port": 5}
WORDS = st.text(max_size=12)
VALUES = st.one_of(
    st.none(),
    WORDS,
    st.sampled_from(["stable", "connected", "failed"]),
    st.builds(lambda type: {**CANDIDATE, "type": type}, st.sampled_from(["host", "srflx", "prflx", "relay", "?"])),
    st.dictionaries(WORDS, st.one_of(st.none(), WORDS, st.integers()), max_size=3),
)
EVENTS = st.one_of(st.sampled_from(list(_LANE_OF)), WORDS)
RECORDINGS = st.lists(
    st.fixed_dictionaries({"time": st.floats(-1e12, 1e12), "peer": WORDS, "event": EVENTS, "value": VALUES}),
    max_size=12,
)


def entry(event, value=None, time=0.0, peer="alice"):
    return {"time": time, "peer": peer, "event": event, "value": value}


def texts(picture):
    return [element.text for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def classes(picture):
    found = [element.get("class") for element in ElementTree.fromstring(picture).iter()]
    return [name for name in found if name]


def test_nothing_is_drawn_as_such():
    assert texts(as_svg([])) == ["Nothing was recorded."]


def test_candidates_are_marks_in_the_colour_of_their_type_and_a_legend_explains_them():
    recording = [entry("icecandidate", {**CANDIDATE, "type": type}) for type in ("relay", "host", "srflx")]
    picture = as_svg(recording)
    assert [name for name in classes(picture) if name in ("host", "srflx", "prflx", "relay")] == [
        *("host", "srflx", "relay"),  # the legend has an order of its own
        *("relay", "host", "srflx"),
    ]
    assert "srflx 192.0.2.1:5" in texts(picture)


def test_a_state_is_a_bar_from_its_beginning_to_its_end():
    recording = [
        entry("connectionstatechange", "connecting", 0),
        entry("connectionstatechange", "connected", 90),
        entry("connectionstatechange", "failed", 91),
        entry("connectionstatechange", "closed", 100),
    ]
    picture = as_svg(recording)
    bars = {
        bar.get("class"): (float(bar.get("x")), float(bar.get("width")))
        for bar in ElementTree.fromstring(picture).iter(f"{SVG}rect")
        if bar.get("class") in ("busy", "good", "bad", "idle")
    }
    assert list(bars) == ["busy", "good", "bad", "idle"]
    places = list(bars.values())
    for (x, width), (next_x, _) in pairwise(places):
        assert abs(x + width - next_x) < 0.2
    assert {"connecting", "connected", "failed", "closed"} <= set(texts(picture))  # those without room are flags


def test_each_peer_has_its_lanes_and_a_long_silence_is_a_gap():
    recording = [entry("a", None, 0), entry("open", None, 10, "bob"), entry("b", None, 5010)]
    picture = as_svg(recording)
    found = texts(picture)
    assert [name for name in found if name in (*LANES, "alice", "bob")] == [
        *("alice", "channels", "notes"),
        *("bob", "channels", "notes"),
    ]
    assert (classes(picture).count("gap"), found.count("5.0 s")) == (2, 2)


def test_a_short_gap_says_its_milliseconds():
    assert "500 ms" in texts(as_svg([entry("a"), entry("b", time=500.0)]))


@given(RECORDINGS)
def test_whatever_was_recorded_the_picture_is_xml_without_anything_from_elsewhere(recording):
    picture = as_svg(recording)
    root = ElementTree.fromstring(picture)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "style", "rect", "text", "path", "g", "title"),
    }
    assert not re.search(r"\b(?:nan|inf)\b", "".join(re.findall(r'="[^"]*"', picture)))
    assert float(root.get("width")) >= max(float(text.get("x")) for text in root.iter(f"{SVG}text"))


def test_a_page_has_the_picture_and_the_text_and_nothing_of_it_is_markup():
    recording = [entry("<script>alert(1)</script>", "&amp;", peer='<b a="1">')]
    page = as_html(recording)
    assert "<script" not in page
    assert "<b " not in page
    assert as_svg(recording) in page
    assert "<title>Time line of &lt;b a=&quot;1&quot;&gt;</title>" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;amp;\n</pre>" in page


def test_a_page_of_nothing_says_so():
    assert "Nothing was recorded." in as_html(parse(""))
