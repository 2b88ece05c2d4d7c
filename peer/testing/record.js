// Sends what happens at state.pc and its channels, and when, in the form of peer.tools. The body of a function, which
// begins with checks.js.
const pc = state.pc;
const note = (event, value = null) => send({ time: performance.now(), event, value }, "recording");

const keep = (channel) => {
  for (const type of ["open", "closing", "close", "error"]) {
    channel.addEventListener(type, ({ error }) => note(type, { label: channel.label, message: error?.message }));
  }
};

for (const state of ["signalingState", "iceGatheringState", "iceConnectionState", "connectionState"]) {
  pc.addEventListener(`${state.toLowerCase()}change`, ({ type }) => note(type, pc[state]));
}
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
watchChecks(pc, note);
