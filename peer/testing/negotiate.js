// The page's side of signalling: perfect negotiation (webrtc-pc 10.7) of state.pc, which is made here. The body of a
// function; its arguments are a configuration and whether this side is polite.
const [configuration, polite] = args;
const pc = (state.pc = new RTCPeerConnection(configuration ?? {}));
let makingOffer = false;
let settingAnswer = false;
let ignoringOffer = false;
let early = []; // candidates that have overtaken their description

const signal = (message) => send(message, "signaling");

pc.addEventListener("icecandidate", ({ candidate }) => signal({ candidate }));
pc.addEventListener("negotiationneeded", async () => {
  makingOffer = true;
  try {
    await pc.setLocalDescription();
    signal({ description: pc.localDescription });
  } finally {
    makingOffer = false;
  }
});

const add = (candidate) => pc.addIceCandidate(candidate).catch(() => ignoringOffer || early.push(candidate));

async function describe(description) {
  const stable = pc.signalingState === "stable" || settingAnswer;
  ignoringOffer = description.type === "offer" && !polite && (makingOffer || !stable);
  if (ignoringOffer) return;
  settingAnswer = description.type === "answer";
  try {
    await pc.setRemoteDescription(description);
  } finally {
    settingAnswer = false;
  }
  if (description.type === "offer") {
    await pc.setLocalDescription();
    signal({ description: pc.localDescription });
  }
  const waiting = early;
  early = [];
  waiting.forEach(add);
}

// Nobody awaits it: a description that is refused is an error of the page.
state.signaled = ({ description, candidate }) => void (description ? describe(description) : add(candidate));
