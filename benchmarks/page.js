// What a page does for the benchmarks: the same as pairs.py, candidates.py and meeting.py do in Python. The functions are
// kept in `state.bench`; each returns milliseconds, by the page's own clock.
"use strict";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function make(server) {
  return new RTCPeerConnection(server ? { iceServers: [{ urls: server }] } : {});
}

async function negotiate(offerer, answerer) {
  await offerer.setLocalDescription();
  await answerer.setRemoteDescription(offerer.localDescription);
  await answerer.setLocalDescription();
  await offerer.setRemoteDescription(answerer.localDescription);
}

async function connectPair(server) {
  const begin = performance.now();
  const offerer = make(server), answerer = make(server);
  const channel = offerer.createDataChannel("benchmark");
  const opened = new Promise((resolve) => { channel.onopen = () => resolve(performance.now()); });
  const gathered = [offerer, answerer].map((peer) => new Promise((resolve) => {
    const other = peer === offerer ? answerer : offerer;
    peer.onicecandidate = ({ candidate }) => {
      other.addIceCandidate(candidate);
      if (candidate === null) resolve();
    };
  }));
  const start = performance.now();
  await negotiate(offerer, answerer);
  const open = await opened;
  return { offerer, answerer, gathered, times: { open: open - start, whole: open - begin } };
}

function close({ offerer, answerer }) {
  offerer.close();
  answerer.close();
}

async function connect(server) {
  const pair = await connectPair(server);
  close(pair);
  return pair.times;
}

async function findCandidate(server) {
  const peer = make(server);
  peer.createDataChannel("benchmark");
  const found = new Promise((resolve) => { peer.onicecandidate = () => resolve(performance.now()); });
  const start = performance.now();
  await peer.setLocalDescription();
  const first = await found - start;
  peer.close();
  return { first };
}

// From restartIce() until both have selected another pair. Firefox has no event for that, so it is asked over and over.
// In Chromium only the controlling side selects another one soon, so the other one is not waited for.
async function restart(settle) {
  const pair = await connectPair(null);
  const peers = [pair.offerer, pair.answerer];
  await Promise.all(pair.gathered);
  await pause(settle);
  const transport = pair.offerer.sctp.transport.iceTransport;
  const before = await Promise.all(peers.map(selected));
  const changed = "onselectedcandidatepairchange" in transport
    ? new Promise((resolve) => { transport.onselectedcandidatepairchange = resolve; })
    : null;
  const start = performance.now();
  pair.offerer.restartIce();
  await negotiate(...peers);
  await (changed ?? Promise.all(peers.map((peer, i) => otherThan(before[i], peer))));
  const took = performance.now() - start;
  close(pair);
  return { restart: took };
}

async function selected(peer) {
  for (const entry of (await peer.getStats()).values()) {
    if (entry.type === "candidate-pair" && entry.selected) return entry.id;
  }
  return null;
}

async function otherThan(before, peer) {
  for (;;) {
    const now = await selected(peer);
    if (now !== null && now !== before) return;
    await pause(0);
  }
}

function parse(inits) {
  const start = performance.now();
  let ports = 0;
  for (const init of inits) ports += new RTCIceCandidate(init).port;
  const took = performance.now() - start;
  if (!ports) throw new Error("nothing was read");
  return { parse: (took / inits.length) * 1e3 };
}

// Returns null for what takes longer than `limit`.
async function add(inits, { checking, batch, limit }) {
  const offerer = make(null), answerer = make(null);
  offerer.createDataChannel("benchmark");
  await offerer.setLocalDescription();
  await answerer.setRemoteDescription(offerer.localDescription);
  await answerer.setLocalDescription();
  await pause(checking);
  const start = performance.now();
  for (let i = 0; i < inits.length && performance.now() - start < limit; i += batch) {
    await Promise.all(inits.slice(i, i + batch).map((init) => answerer.addIceCandidate(init)));
  }
  const took = performance.now() - start;
  close({ offerer, answerer });
  return { [`add-${inits.length}`]: took < limit ? took : null };
}

// One peer, whose partner is at the other end of a relay. Whoever offers returns the time until its channel was open.
async function meet(url, offers) {
  const peer = make(null), socket = new WebSocket(url);
  const left = new Promise((resolve) => { socket.onclose = resolve; });
  const tell = (message) => socket.send(JSON.stringify(message));
  let start = null, opened = null;
  peer.onicecandidate = ({ candidate }) => tell({ candidate });
  if (offers) {
    peer.createDataChannel("benchmark").onopen = () => {
      opened = performance.now();
      tell({ over: true });
    };
  }
  socket.onmessage = async ({ data }) => {
    const { begin, description, candidate } = JSON.parse(data);
    if (begin && offers) {
      start = performance.now();
      await peer.setLocalDescription();
      tell({ description: peer.localDescription });
    } else if (description) {
      await peer.setRemoteDescription(description);
      if (offers) return;
      await peer.setLocalDescription();
      tell({ description: peer.localDescription });
    } else if (candidate !== undefined) {
      await peer.addIceCandidate(candidate);
    }
  };
  await left;
  peer.close();
  return opened - start;
}

state.bench = { connect, findCandidate, restart, parse, add, meet };
