// Sends what happens at state.pc and its channels, and when, in the form of peer.tools. The body of a function.
const pc = state.pc;
const note = (event, value = null) => send({ time: performance.now(), event, value }, "recording");

const members = (candidate) => {
  const { type, protocol, address, port, priority } = candidate;
  return { ...candidate.toJSON(), type, protocol, address, port, priority };
};

const keep = (channel) => {
  for (const type of ["open", "closing", "close", "error"]) {
    channel.addEventListener(type, ({ error }) => note(type, { label: channel.label, message: error?.message }));
  }
};

const seen = new WeakSet();
const watchTransports = () => {
  for (const carrier of [pc.sctp, ...pc.getSenders()]) {
    const ice = carrier?.transport?.iceTransport;
    if (!ice || seen.has(ice)) continue;
    seen.add(ice);
    ice.addEventListener("selectedcandidatepairchange", ({ type }) => {
      const pair = ice.getSelectedCandidatePair();
      if (pair) note(type, { local: members(pair.local), remote: members(pair.remote) });
    });
  }
};

for (const state of ["signalingState", "iceGatheringState", "iceConnectionState", "connectionState"]) {
  pc.addEventListener(`${state.toLowerCase()}change`, ({ type }) => note(type, pc[state]));
}
pc.addEventListener("signalingstatechange", watchTransports);
pc.addEventListener("icecandidate", ({ type, candidate }) => note(type, candidate && members(candidate)));
pc.addEventListener("icecandidateerror", ({ type, url, errorCode, errorText, address, port }) => {
  note(type, { url, errorCode, errorText, address, port });
});
pc.addEventListener("negotiationneeded", ({ type }) => note(type));
pc.addEventListener("track", ({ type, track }) => note(type, { kind: track.kind }));
pc.addEventListener("datachannel", ({ type, channel }) => {
  note(type, { label: channel.label });
  keep(channel);
});
watchTransports();
