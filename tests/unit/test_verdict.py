import pytest

from peer.tools._servers import Asked
from peer.tools._verdict import verdict, waiting

STUN, OTHER, TURN = "stun:a.example", "STUN:b.example", "turn:c.example?transport=tcp"


def entry(event, value=None, time=0.0, peer="gather"):
    return {"time": 1000.0 + time, "peer": peer, "event": event, "value": value}


def asked(urls):
    return [Asked("gather", url) for url in urls]


def candidate(type, time=0.0, **members):
    return entry("icecandidate", {"candidate": "candidate:...", "type": type, **members}, time)


def error(url, code=701, text="no answer", time=0.0):
    return entry("icecandidateerror", {"url": url, "errorCode": code, "errorText": text}, time)


BEGIN, HOST = entry("signalingstatechange", "have-local-offer"), candidate("host")
END, NULL = entry("icecandidate", {"candidate": ""}), entry("icecandidate")
NO_TURN = {"relay": "no TURN server was asked"}

OUTCOMES = {
    # name: the server, what has happened, the outcome, whether it is good, and the sentence
    "reflexive": (STUN, [HOST, candidate("srflx", 12.4, url=STUN)], "candidate", True, "answered after 12 ms: srflx"),
    "relay": (TURN, [HOST, candidate("relay", 30.0, url=TURN)], "candidate", True, "answered after 30 ms: relay"),
    "candidates, the first one counts": (
        TURN,
        [candidate("srflx", 1.0, url=TURN), candidate("relay", 2.0, url=TURN), candidate("relay", 3.0, url=TURN)],
        *("candidate", True, "answered after 1 ms: srflx and relay"),
    ),
    "wrong password": (
        *(TURN, [HOST, error(TURN, 401, "Unauthorized", 5.0)], "refused", False),
        "answered after 5 ms: 401 Unauthorized; are the user name and the password right?",
    ),
    "without words": (TURN, [HOST, error(TURN, 300, "")], "refused", False, "answered after 0 ms: 300"),
    "silent": (STUN, [HOST, error(STUN)], "unreachable", False, "no answer"),
    "nothing heard": (TURN, [HOST], "nothing", False, "has given no relay"),
    "no address": (STUN, [], "not asked", False, "not asked: no address to ask from, or relayed candidates only"),
    "known": (STUN, [HOST], "known", True, "answered: the address it told is a candidate already"),
    "of others": (STUN, [HOST, error(OTHER), candidate("srflx", url=OTHER)], "known", True, None),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_server_comes_to_one_outcome(name):
    url, happened, outcome, good, sentence = OUTCOMES[name]
    (server,) = verdict(asked([url]), [BEGIN, *happened, END, NULL], {}, relay_only=False).servers
    assert (server.url, server.outcome, server.good) == (url, outcome, good)
    assert sentence in (None, server.sentence)


def test_an_outcome_has_the_time_and_the_code_for_programs():
    good, bad, known = verdict(
        asked([STUN, TURN, OTHER]),
        [BEGIN, HOST, candidate("srflx", 12.5, url=STUN), error(TURN, 486, "Quota", 20.5), NULL],
        {Asked("gather", STUN): 11.0, Asked("gather", OTHER): 7.25},
        relay_only=False,
    ).servers
    assert (good.time, good.errorCode, good.errorText) == (12.5, None, None)
    assert (bad.time, bad.errorCode, bad.errorText) == (20.5, 486, "Quota")
    assert (known.time, known.sentence) == (7.25, "answered after 7 ms: the address it told is a candidate already")


def test_of_several_users_of_one_server_each_has_an_outcome():
    servers = [Asked("gather", TURN), Asked("user 2", TURN)]
    refused = error(TURN, 401, "Unauthorized") | {"peer": "user 2"}
    found = verdict(servers, [BEGIN, HOST, refused, candidate("relay", url=TURN), NULL], {}, relay_only=False)
    assert [(server.url, server.peer, server.outcome) for server in found.servers] == [
        (TURN, "gather", "candidate"),
        (TURN, "user 2", "refused"),
    ]
    assert [server.name for server in found.servers] == [TURN, f"{TURN} (user 2)"]
    assert waiting(servers, [BEGIN, refused], {}) == [TURN]


@pytest.mark.parametrize(
    ("urls", "happened", "good"),
    [
        ([], [HOST], True),
        ([], [], False),
        ([STUN], [HOST], True),
        ([STUN, TURN], [HOST, error(TURN)], False),
        ([TURN], [candidate("relay", url=TURN)], True),
    ],
)
def test_the_verdict_is_good_if_all_servers_are_and_there_is_a_candidate(urls, happened, good):
    assert verdict(asked(urls), [BEGIN, *happened, NULL], {}, relay_only=False).good is good


@pytest.mark.parametrize(
    ("urls", "happened", "relay_only", "missing"),
    [
        ([], [HOST], False, {"srflx": "no STUN server was asked", **NO_TURN}),
        ([STUN], [HOST, error(STUN)], False, {"srflx": "no STUN server was of use", **NO_TURN}),
        ([STUN], [HOST], False, NO_TURN),
        ([STUN, TURN], [HOST, error(TURN)], False, {"relay": "no TURN server has given one"}),
        ([TURN], [error(TURN)], True, {"relay": "no TURN server has given one"}),
        ([TURN], [candidate("relay", url=TURN)], True, {}),
        (
            [TURN],
            [candidate("srflx", url=TURN), candidate("relay", url=TURN)],
            False,
            {"host": "this host has no address that can be used"},
        ),
    ],
)
def test_what_is_missing_has_a_reason(urls, happened, relay_only, missing):
    assert verdict(asked(urls), [BEGIN, *happened, NULL], {}, relay_only=relay_only).missing == missing


def test_candidates_are_counted_by_their_types():
    found = verdict(asked([STUN]), [BEGIN, HOST, HOST, candidate("srflx", url=STUN), END, NULL], {}, relay_only=False)
    assert found.candidates == {"host": 2, "srflx": 1}


def test_we_wait_for_those_of_whom_nothing_was_heard():
    happened = [BEGIN, HOST, candidate("srflx", url=STUN), error(TURN)]
    assert waiting(asked([STUN, OTHER, TURN]), happened, {}) == [OTHER]
    assert waiting(asked([STUN, OTHER]), [], {}) == [STUN, OTHER]
    assert waiting(asked([STUN, OTHER]), [], {Asked("gather", STUN): 7.25}) == [OTHER]
