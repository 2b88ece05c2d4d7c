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

// Of checks no event tells: the statistics are looked at when a state or the selected pair changes, and soon after it.
// Chromium gives them again for 50 ms, which is why nobody looks when checks have only just begun.
const SOON_MS = 60;
const CHECKED = new Set(["in-progress", "succeeded", "failed"]);
const told = new Map(); // the last state of each pair that was sent, by the pair's id
let again;

const checksChanged = (state) => {
  if (state !== "checking" && state !== "connecting") sendChecks();
  clearTimeout(again);
  again = setTimeout(sendChecks, SOON_MS);
};

const sendChecks = async () => {
  if (pc.signalingState === "closed") return;
  const report = await pc.getStats().catch(() => new Map()); // it was closed meanwhile
  if (pc.signalingState === "closed") return; // what was asked before, nobody expects any more
  for (const { id, type, state: found, localCandidateId, remoteCandidateId } of report.values()) {
    const state = found === "inprogress" ? "in-progress" : found; // so Firefox spells it
    if (type !== "candidate-pair" || !CHECKED.has(state) || told.get(id) === state) continue;
    told.set(id, state);
    const [local, remote] = [localCandidateId, remoteCandidateId].map((end) => reported(report.get(end)));
    note("candidatepair", { state, local, remote });
  }
};

// What is known of a candidate in statistics: browsers hide addresses, and may have forgotten all.
const reported = ({ candidateType: type, protocol, address, port, priority, url } = {}) => {
  const known = Object.entries({ type, protocol, address, port, priority, url });
  return Object.fromEntries(known.filter(([, value]) => value !== undefined && value !== null && value !== ""));
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
      checksChanged();
    });
  }
};

for (const state of ["signalingState", "iceGatheringState", "iceConnectionState", "connectionState"]) {
  pc.addEventListener(`${state.toLowerCase()}change`, ({ type }) => note(type, pc[state]));
}
for (const state of ["iceConnectionState", "connectionState"]) {
  pc.addEventListener(`${state.toLowerCase()}change`, () => checksChanged(pc[state]));
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
