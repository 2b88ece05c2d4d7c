import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.tools._servers import ice_server

TURN = "turn:turn.example:3478?transport=tcp"


@pytest.mark.parametrize(
    ("word", "url", "username", "credential"),
    [
        ("turn:user:secret@turn.example:3478?transport=tcp", TURN, "user", "secret"),
        ("TURNS:user:secret@[2001:db8::1]", "TURNS:[2001:db8::1]", "user", "secret"),
        ("turn:user:s:e@c/r?e#t@turn.example", "turn:turn.example", "user", "s:e@c/r?e#t"),
        ("turn:1700000000%3Auser:100%25%40@turn.example", "turn:turn.example", "1700000000:user", "100%@"),
        ("turn:user@turn.example", "turn:turn.example", "user", ""),
    ],
)
def test_a_turn_server_has_a_user_and_a_password(word, url, username, credential):
    assert ice_server(word) == {"urls": url, "username": username, "credential": credential}


@pytest.mark.parametrize("word", ["stun:stun.example", "stun:[::1]:3478", TURN, "", "turn.example", "\n"])
def test_a_word_without_a_user_is_a_url(word):
    assert ice_server(word) == {"urls": word}


@given(st.sampled_from(["", "stun:", "stuns:", "http:", "turn-:"]), st.text(alphabet="secret:@", min_size=1))
def test_nobody_else_is_asked_for_a_user_and_the_message_has_no_password(scheme, user):
    with pytest.raises(ValueError, match="only TURN servers") as raised:
        ice_server(f"{scheme}{user}@host.example")
    assert str(raised.value) == "...@host.example: only TURN servers (turn:, turns:) ask for a user"
