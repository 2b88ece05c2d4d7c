import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.tools._servers import asked, connections, ice_server

TURN = "turn:turn.example:3478?transport=tcp"


@pytest.mark.parametrize(
    ("word", "url", "username", "credential"),
    [
        ("turn:user:secret@turn.example:3478?transport=tcp", TURN, "user", "secret"),
        ("TURNS:user:secret@[2001:db8::1]", "TURNS:[2001:db8::1]", "user", "secret"),
        ("turn:user:s:e@c/r?e#t@turn.example", "turn:turn.example", "user", "s:e@c/r?e#t"),
        ("turn:1700000000%3Auser:100%25%40@turn.example", "turn:turn.example", "1700000000:user", "100%@"),
    ],
)
def test_a_turn_server_has_a_user_and_a_password(word, url, username, credential):
    assert ice_server(word) == {"urls": url, "username": username, "credential": credential}


@pytest.mark.parametrize("word", ["stun:stun.example", "stun:[::1]:3478", "", "turn.example", "\n"])
def test_a_word_without_a_user_is_a_url(word):
    assert ice_server(word) == {"urls": word}


@pytest.mark.parametrize(
    ("word", "lacks"),
    [
        ("turn:turn.example", "a user and a password"),
        ("turn:@turn.example", "a user and a password"),
        ("turn::secret@turn.example", "a user and a password"),
        ("turn:secret@turn.example", "a password"),
        ("turn:secret:@turn.example", "a password"),
    ],
)
def test_what_a_turn_server_needs_is_told_without_what_was_given(word, lacks):
    with pytest.raises(ValueError, match="turn") as raised:
        ice_server(word)
    assert str(raised.value) == f"turn:turn.example: a TURN server asks for {lacks}: turn:user:password@turn.example"


STUN = {"urls": "stun:stun.example"}
ANN, BOB = ({"urls": TURN, "username": name, "credential": "secret"} for name in ("ann", "bob"))


def test_each_user_of_a_server_has_a_connection():
    assert connections([]) == [[]]
    assert connections([STUN, ANN]) == [[STUN, ANN]]
    assert connections([ANN, STUN, BOB, {**ANN, "username": "eve"}]) == [
        [ANN, STUN],
        [BOB],
        [{**ANN, "username": "eve"}],
    ]
    assert [server.name for server in asked([ANN, STUN, BOB])] == [TURN, STUN["urls"], f"{TURN} (user 2)"]


@pytest.mark.parametrize(
    ("server", "sentence"),
    [(STUN, "stun:stun.example is given twice"), (ANN, f"{TURN} is given twice with the same user")],
)
def test_a_server_that_is_given_twice_is_refused(server, sentence):
    with pytest.raises(ValueError, match="twice") as raised:
        connections([server, BOB, {**server, "credential": "other"}])
    assert str(raised.value) == sentence


@given(st.sampled_from(["", "stun:", "stuns:", "http:", "turn-:"]), st.text(alphabet="secret:@", min_size=1))
def test_nobody_else_is_asked_for_a_user_and_the_message_has_no_password(scheme, user):
    with pytest.raises(ValueError, match="only TURN servers") as raised:
        ice_server(f"{scheme}{user}@host.example")
    assert str(raised.value) == "...@host.example: only TURN servers (turn:, turns:) ask for a user"
