// Plays a scenario with two RTCPeerConnections of this page, A and B, and returns what happened. Its twin is player.py:
// same steps, same log. What the steps and the log's entries mean is told in README.md.
const { configuration, steps, limit } = args[0];

const STATES = ["signalingState", "iceGatheringState", "iceConnectionState", "connectionState"];
const EVENTS = [
  "negotiationneeded", "signalingstatechange", "icegatheringstatechange", "iceconnectionstatechange",
  "connectionstatechange", "icecandidate", "icecandidateerror", "datachannel", "track",
];
const DESCRIPTIONS = ["currentLocal", "pendingLocal", "currentRemote", "pendingRemote"];
const CHANNEL_EVENTS = ["open", "closing", "error", "close"];
const STREAM_EVENTS = ["addtrack", "removetrack"];
const TRANSPORT_EVENTS = ["gatheringstatechange", "statechange", "selectedcandidatepairchange"];
const LINES =
  /^(m=|c=|a=(group|mid|ice-ufrag|ice-options|candidate|end-of-candidates|bundle-only|(send|recv)(recv|only)|inactive)\b)/;

class GivenUp extends Error {}

const log = [];
let waits = []; // those who wait for an entry: {who, words, count, resolve}
let reactions = []; // steps to take inside an event: {who, words, step}
let trickling = false;
const deliveries = []; // candidates that are being added
const streams = {}; // those that the steps name

function note(who, what, value, more = {}) {
  const peer = peers[who.split(".")[0]];
  const seen = Object.fromEntries(STATES.map((name) => [name, peer.pc[name]]));
  log.push({ who, what, value, seen, ...more });
  const due = reactions.filter((reaction) => count(reaction) > 0);
  reactions = reactions.filter((reaction) => !due.includes(reaction));
  due.forEach(({ step }) => LEADING.start(step));
  waits.filter((wait) => count(wait) >= wait.count).forEach((wait) => wait.resolve());
}

function count({ who, words }) {
  return log.filter((entry) => entry.who === who && `${entry.what} ${entry.value}`.startsWith(words)).length;
}

function nameOf(error) {
  return String(error?.name ?? "Error");
}

function streamOf(name) {
  return (streams[name] ??= new MediaStream());
}

function nameOfStream({ id }) {
  return Object.keys(streams).find((name) => streams[name].id === id) ?? "unknown";
}

// The lines of a description that count, or null.
function lines(peer, which) {
  try {
    return peer.pc[which]?.sdp.split("\r\n").filter((line) => LINES.test(line)) ?? null;
  } catch (error) {
    return [`threw ${nameOf(error)}`];
  }
}

class Peer {
  constructor(name) {
    this.name = name;
    this.pc = new RTCPeerConnection(configuration[name]);
    this.created = null; // what createOffer or createAnswer gave last
    this.outbox = []; // candidates to be sent to the other side
    this.described = false; // whether the other side was given our description
    this.channels = [];
    this.transports = [];
    this.watched = new Set(); // remote streams
    for (const type of EVENTS) this.pc.addEventListener(type, (event) => this.hear(event));
  }

  get other() {
    return peers[this.name === "A" ? "B" : "A"];
  }

  hear(event) {
    const state = STATES.find((name) => `${name.toLowerCase()}change` === event.type);
    if (event.type === "icecandidate") {
      this.hearCandidate(event.candidate);
    } else if (event.type === "icecandidateerror") {
      note(this.name, event.type, String(event.errorCode), { url: event.url });
    } else if (event.type === "datachannel") {
      this.watch(event.channel);
      note(this.name, event.type, event.channel.label);
    } else if (event.type === "track") {
      event.streams.forEach((stream) => this.watchStream(stream));
      note(this.name, event.type, [event.track.kind, ...event.streams.map(nameOfStream)].join(" "));
    } else {
      note(this.name, event.type, state ? this.pc[state] : "");
    }
  }

  watchStream(stream) {
    if (this.watched.has(stream)) return;
    this.watched.add(stream);
    for (const type of STREAM_EVENTS) {
      stream.addEventListener(type, ({ track }) => note(this.name, type, `${track.kind} ${nameOfStream(stream)}`));
    }
  }

  hearCandidate(candidate) {
    const value = candidate === null ? "null" : candidate.candidate ? "candidate" : "end";
    const json = candidate && {
      candidate: candidate.candidate,
      sdpMid: candidate.sdpMid,
      sdpMLineIndex: candidate.sdpMLineIndex,
      usernameFragment: candidate.usernameFragment,
    };
    if (candidate !== null) this.outbox.push(json);
    note(this.name, "icecandidate", value, { candidate: json, local: lines(this, "localDescription") });
    this.flush();
  }

  // Send what is in the outbox, if the other side can know what it belongs to.
  flush() {
    if (!trickling || !this.described) return;
    for (const candidate of this.outbox.splice(0)) {
      const added = this.other.pc.addIceCandidate(candidate).catch((error) => {
        if (this.other.pc.signalingState !== "closed") note(this.other.name, "refused", nameOf(error), { candidate });
      });
      deliveries.push(added);
    }
  }

  watch(channel) {
    this.channels.push(channel);
    for (const type of CHANNEL_EVENTS) {
      channel.addEventListener(type, ({ error }) => {
        note(this.name, type, error ? `${channel.label} ${error.errorDetail}` : channel.label);
      });
    }
    channel.addEventListener("message", ({ data }) => note(this.name, "message", data));
  }

  // Listen to the ICE transports that have come into being, in the order of transceivers, then of data.
  watchTransports() {
    const carriers = [...this.pc.getTransceivers().map(({ sender }) => sender), this.pc.sctp];
    for (const transport of carriers.map((carrier) => carrier?.transport?.iceTransport)) {
      if (!transport || this.transports.includes(transport)) continue;
      this.transports.push(transport);
      const who = `${this.name}.transport${this.transports.length}`;
      for (const type of TRANSPORT_EVENTS) {
        transport.addEventListener(type, () => {
          const value = { gatheringstatechange: transport.gatheringState, statechange: transport.state }[type] ?? "";
          note(who, type, value);
        });
      }
    }
  }

  // Call a method. The call is made before this returns; what is returned is fulfilled with its outcome.
  call(method, given) {
    const values = given.map((value) => this.value(value));
    if (method === "setLocalDescription") {
      this.described = false;
      this.outbox = []; // what is there is in the description if it still holds
    }
    if (method === "setRemoteDescription") this.other.described = true;
    let returned;
    try {
      returned = this.pc[method](...values);
    } catch (error) {
      return `threw ${nameOf(error)}`;
    }
    if (method === "setRemoteDescription") this.other.flush();
    if (method === "createDataChannel") this.watch(returned);
    if (!(returned instanceof Promise)) return "returned";
    return returned.then(
      (value) => {
        if (method === "createOffer" || method === "createAnswer") this.created = value;
        if (method.endsWith("Description")) this.watchTransports();
        return "resolved";
      },
      (error) => `rejected ${nameOf(error)}`,
    );
  }

  // What an argument stands for: {local: "B"} and {created: "B"} for descriptions, "$ufrag" for the remote one, names
  // for streams.
  value(given) {
    if (given === null || typeof given !== "object") return given;
    if (given.streams) return { ...given, streams: given.streams.map(streamOf) };
    if (given.local || given.created) {
      const { type, sdp } = given.local ? peers[given.local].pc.localDescription : peers[given.created].created;
      const edit = (text, [from, to]) => text.split(from).join(to);
      return { type: given.type ?? type, sdp: (given.edits ?? []).reduce(edit, sdp) };
    }
    if (given.usernameFragment !== "$ufrag") return given;
    const line = lines(this, "remoteDescription")?.find((each) => each.startsWith("a=ice-ufrag:"));
    return { ...given, usernameFragment: line?.slice(12) ?? "none" };
  }

  // What a call that fails must not change.
  negotiated() {
    const kept = /^(m=|a=(group|mid|ice-ufrag|(send|recv)(recv|only)|inactive))/;
    const words = (all) => all && all.filter((line) => kept.test(line)).map((line) => line.split(" ")[0]);
    const described = DESCRIPTIONS.map((which) => words(lines(this, `${which}Description`)));
    const transceivers = this.pc.getTransceivers();
    const seen = transceivers.map(({ mid, direction, currentDirection, stopped }) => [
      mid, direction, currentDirection, stopped,
    ]);
    const counts = [this.pc.getSenders().length, this.pc.getReceivers().length];
    return JSON.stringify([this.pc.signalingState, described, seen, counts]);
  }

  candidateLines() {
    return (lines(this, "remoteDescription") ?? []).filter((line) => line.startsWith("a=candidate:")).length;
  }
}

// Steps. What a step returns is waited for before the next one is taken.

const LEADING = {
  trickle() {
    trickling = true;
    Object.values(peers).forEach((peer) => peer.flush());
  },
  start(step) {
    LEADING.try(step);
  },
  together(...several) {
    return Promise.all(several.map(take));
  },
  upon(who, words, step) {
    reactions.push({ who, words, step });
  },
  async try(step) {
    try {
      await take(step);
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
    }
  },
  async settle() {
    const probe = new RTCPeerConnection();
    probe.createDataChannel("probe");
    const complete = new Promise((resolve) => {
      probe.onicecandidate = ({ candidate }) => candidate || resolve();
    });
    await probe.setLocalDescription();
    await complete;
    probe.close();
  },
  construct(name, rows) {
    for (const [row, given] of Object.entries(rows)) {
      let outcome;
      try {
        const made = new window[name](...given);
        outcome = "returned";
        if (name === "RTCIceCandidate") outcome = attributes(made);
        if (name === "RTCError") outcome = ERROR_ATTRIBUTES.map((each) => made[each]).map(String).join(" ").trim();
        if (made.close) made.close();
      } catch (error) {
        outcome = `threw ${nameOf(error)}`;
      }
      note("A", "row", row, { given, outcome });
    }
  },
  async anew(rows, before) {
    window.gc?.(); // Chromium counts the connections that are closed, until they are collected
    for (const [row, [method, ...given]] of Object.entries(rows)) {
      peers.A.pc.close();
      const peer = (peers.A = new Peer("A"));
      for (const step of before) await take(step);
      const seen = peer.negotiated();
      const outcome = await peer.call(method, given);
      const failed = !/^(returned|resolved)/.test(outcome);
      const changed = failed && peer.negotiated() !== seen ? ", changed" : "";
      note("A", "row", row, { outcome: `${outcome}, ${peer.pc.signalingState}${changed}` });
    }
  },
  members(name, members) {
    for (const member of members) {
      note("A", "row", member, { outcome: member in (window[name]?.prototype ?? {}) ? "there" : "missing" });
    }
  },
};

const VERBS = {
  sees(peer, words, times = 1) {
    const wait = { who: peer.name, words, count: times };
    if (count(wait) >= times) return undefined;
    return new Promise((resolve) => waits.push({ ...wait, resolve }));
  },
  async rests(peer) {
    await LEADING.settle();
    if (peer.pc.iceGatheringState === "gathering") {
      await VERBS.sees(peer, "icecandidate null", count({ who: peer.name, words: "icecandidate null" }) + 1);
    }
  },
  reads(peer, attribute) {
    note(peer.name, "reads", `${attribute} ${peer.pc[attribute]}`);
  },
  directs(peer, direction) {
    peer.pc.getTransceivers()[0].direction = direction;
  },
  prefers(peer, codec) {
    const [transceiver] = peer.pc.getTransceivers();
    const { kind } = transceiver.receiver.track;
    const known = RTCRtpReceiver.getCapabilities(kind).codecs;
    transceiver.setCodecPreferences(known.filter(({ mimeType }) => mimeType === `${kind}/${codec}`));
  },
  setsStreams(peer, ...names) {
    peer.pc.getSenders()[0].setStreams(...names.map(streamOf));
  },
  inspects(peer) {
    for (const { role, state, gatheringState } of peer.transports) {
      note(peer.name, "reads", `role ${role ?? "unknown"}`);
      note(peer.name, "reads", `state ${state}`);
      note(peer.name, "reads", `gatheringState ${gatheringState}`);
    }
  },
  async callsBack(peer, candidate) {
    let called;
    const call = new Promise((resolve) => {
      called = (how) => (value) => resolve(`${how} ${value === undefined ? "without a value" : nameOf(value)}`);
    });
    try {
      await peer.pc.addIceCandidate(candidate, called("success"), called("failure"));
      note(peer.name, "reads", await call);
    } catch (error) {
      note(peer.name, "reads", `failed ${nameOf(error)}`);
    }
  },
  shows(peer, description) {
    note(peer.name, "shows", description, { lines: lines(peer, description) });
  },
  sends(peer, text) {
    try {
      peer.channels[0].send(text);
    } catch (error) {
      note(peer.name, "reads", `send threw ${nameOf(error)}`);
    }
  },
  closesChannel(peer) {
    peer.channels[0].close();
  },
  readsChannel(peer, attribute) {
    note(peer.name, "reads", `${attribute} ${peer.channels[0][attribute]}`);
  },
  async tries(peer, rows) {
    for (const [row, [method, ...given]] of Object.entries(rows)) {
      const before = peer.candidateLines();
      let outcome = await peer.call(method, given);
      if (peer.candidateLines() > before) outcome += ", written";
      note(peer.name, "row", row, { outcome });
    }
  },
};

function take([name, ...given]) {
  if (LEADING[name]) return LEADING[name](...given);
  const [who, verb] = name.split(".");
  if (VERBS[verb]) return VERBS[verb](peers[who], ...given);
  const tell = (outcome) => {
    const failed = !/^(returned|resolved)/.test(outcome);
    note(who, "call", `${verb} ${outcome}`, { local: lines(peers[who], "localDescription") });
    if (failed) throw new GivenUp(name);
  };
  const outcome = peers[who].call(verb, given);
  return outcome instanceof Promise ? outcome.then(tell) : tell(outcome);
}

const ERROR_ATTRIBUTES = [
  "name", "errorDetail", "sdpLineNumber", "sctpCauseCode", "receivedAlert", "sentAlert", "message",
];

function attributes(candidate) {
  const names = [
    "foundation", "component", "priority", "address", "protocol", "port", "type", "tcpType", "relatedAddress",
    "relatedPort", "candidate", "sdpMid", "sdpMLineIndex", "usernameFragment", "relayProtocol", "url",
  ];
  const json = candidate.toJSON();
  const pairs = names.map((name) => [name, candidate[name] === undefined ? "missing" : candidate[name]]);
  return { ...Object.fromEntries(pairs), toJSON: Object.fromEntries(Object.keys(json).map((key) => [key, json[key]])) };
}

const peers = {};
peers.A = new Peer("A");
peers.B = new Peer("B");

let current = null;
async function play() {
  try {
    for (current of steps) await take(current);
    if (!Object.values(peers).some(({ pc }) => pc.signalingState === "closed")) await Promise.all(deliveries);
  } catch (error) {
    if (!(error instanceof GivenUp)) throw error;
    log.push({ who: "-", what: "gave up", value: error.message });
  }
}

let timer;
const late = new Promise((resolve) => {
  timer = setTimeout(() => {
    log.push({ who: "-", what: "gave up", value: `waiting for ${JSON.stringify(current)}` });
    resolve();
  }, limit * 1000);
});
await Promise.race([play(), late]);
clearTimeout(timer);
for (const peer of Object.values(peers)) {
  note(peer.name, "end", "", { local: lines(peer, "localDescription"), remote: lines(peer, "remoteDescription") });
}
const features = {
  negotiationneeded: "onnegotiationneeded" in RTCPeerConnection.prototype,
  icecandidateerror: "onicecandidateerror" in RTCPeerConnection.prototype,
  RTCIceTransport: "RTCIceTransport" in window,
  selectedcandidatepairchange: "onselectedcandidatepairchange" in (window.RTCIceTransport?.prototype ?? {}),
};
const result = { log: [...log], features: Object.keys(features).filter((name) => features[name]) };
for (const peer of Object.values(peers)) peer.pc.close();
return result;
