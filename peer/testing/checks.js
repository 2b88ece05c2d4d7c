"use strict";

// What a page tells of ICE, in the form of peer.tools: candidates, checks of pairs, and the pair that is selected.

// Of checks no event tells: the statistics are looked at when a state or the selected pair changes, and soon after it.
// Chromium gives them again for 50 ms, which is why nobody looks when checks have only just begun.
const SOON_MS = 60;
const CHECKED = new Set(["in-progress", "succeeded", "failed"]);

// Notes each new state of the pairs of *pc*, until it is closed, and which one is selected: note(event, value).
function watchChecks(pc, note) {
  const told = new Map(); // the last state of each pair that was noted, by the pair's id
  const seen = new WeakSet(); // transports
  let again;

  const look = async () => {
    if (pc.signalingState === "closed") return;
    const report = await pc.getStats().catch(() => new Map()); // it was closed meanwhile
    if (pc.signalingState === "closed") return; // what was asked before, nobody expects any more
    for (const { id, type, state: found, localCandidateId, remoteCandidateId } of report.values()) {
      const state = found === "inprogress" ? "in-progress" : found; // so Firefox spells it
      if (type !== "candidate-pair" || !CHECKED.has(state) || told.get(id) === state) continue;
      if (state === "in-progress" && told.has(id)) continue; // Chromium checks pairs again and again
      told.set(id, state);
      const [local, remote] = [localCandidateId, remoteCandidateId].map((end) => reported(report.get(end)));
      note("candidatepair", { state, local, remote });
    }
  };

  const changed = (state) => {
    if (state !== "checking" && state !== "connecting") look();
    clearTimeout(again);
    again = setTimeout(look, SOON_MS);
  };

  const watchTransports = () => {
    for (const carrier of [pc.sctp, ...pc.getSenders()]) {
      const ice = carrier?.transport?.iceTransport;
      if (!ice || seen.has(ice)) continue;
      seen.add(ice);
      ice.addEventListener("selectedcandidatepairchange", ({ type }) => {
        const pair = ice.getSelectedCandidatePair();
        if (pair) note(type, { local: members(pair.local), remote: members(pair.remote) });
        changed();
      });
    }
  };

  for (const state of ["iceConnectionState", "connectionState"]) {
    pc.addEventListener(`${state.toLowerCase()}change`, () => changed(pc[state]));
  }
  pc.addEventListener("signalingstatechange", watchTransports);
  watchTransports();
}

// What is known of a candidate in statistics: browsers hide addresses, and may have forgotten all.
function reported({ candidateType: type, protocol, address, port, priority, url } = {}) {
  const known = Object.entries({ type, protocol, address, port, priority, url });
  return Object.fromEntries(known.filter(([, value]) => value !== undefined && value !== null && value !== ""));
}

// All of a candidate that a recording has.
function members(candidate) {
  const { type, protocol, address, port, priority } = candidate;
  return { ...candidate.toJSON(), type, protocol, address, port, priority };
}
