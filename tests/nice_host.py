"""libnice, an ICE implementation of another house, which takes TCP connections: a process of its own.

Run it with a Python that has gi and Nice (Debian: python3-gi and gir1.2-nice-0.1). It talks in lines of JSON, each with
two items, what and a value, over its standard input and output:

    tells    credentials   its ufrag and password
             candidate     "candidate:...", one for each it has
             gathered      there are no more
             state         the state of its component, whenever that changes
             datagram      the first byte of each datagram it gets
    told     remote        our ufrag, password and candidates; it checks from now on

The argument is its address. It takes TCP only, and is controlled. It ends when its standard input is closed.
"""

import ctypes
import json
import sys

import gi

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice  # noqa: E402


def tell(what, value=None):
    sys.stdout.write(json.dumps([what, value]) + "\n")
    sys.stdout.flush()


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_uint] * 3, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_void_p)
def received(agent, stream, component, size, data, user_data):
    tell("datagram", data[0])


def main(address):
    loop = GLib.MainLoop()
    agent = Nice.Agent.new(loop.get_context(), Nice.Compatibility.RFC5245)
    agent.set_property("ice-udp", False)
    agent.set_property("ice-tcp", True)
    agent.set_property("upnp", False)
    agent.set_property("controlling-mode", False)
    ours = Nice.Address.new()
    ours.set_from_string(address)
    agent.add_local_address(ours)
    stream = agent.add_stream(1)

    def gathered(agent, stream):
        tell("credentials", list(agent.get_local_credentials(stream))[-2:])
        for candidate in agent.get_local_candidates(stream, 1):
            tell("candidate", agent.generate_local_candidate_sdp(candidate).removeprefix("a="))
        tell("gathered")

    def told(source, condition):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        what, value = json.loads(line)
        assert what == "remote"
        agent.set_remote_credentials(stream, value["ufrag"], value["password"])
        candidates = [agent.parse_remote_candidate_sdp(stream, f"a={text}") for text in value["candidates"]]
        agent.set_remote_candidates(stream, 1, [candidate for candidate in candidates if candidate])
        return True

    agent.connect("candidate-gathering-done", gathered)
    agent.connect(
        "component-state-changed",
        lambda agent, stream, component, state: tell("state", Nice.component_state_to_string(state)),
    )
    # Nobody has described this function to gi.
    attach = ctypes.CDLL("libnice.so.10").nice_agent_attach_recv
    attach(ctypes.c_void_p(hash(agent)), stream, 1, None, received, None)
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, told)
    agent.gather_candidates(stream)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
