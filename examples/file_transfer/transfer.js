"use strict";

// Files over data channels, as in transfer.py: the same messages, the same order.

const CHUNK = 65536;
const ENOUGH = 1 << 20;
const LITTLE = 1 << 18;

// The next event of this type. Whoever waits goes on before the browser hands over another one, so nothing is missed.
function next(channel, type) {
  return new Promise((resolve, reject) => {
    const close = () => reject(new Error("the channel is closed"));
    if (channel.readyState === "closed") close();
    channel.onclose = close;
    channel[`on${type}`] = resolve;
  });
}

// Send a file over a new channel; returns whether it arrived as it is.
async function send(channel, file, report) {
  channel.bufferedAmountLowThreshold = LITTLE;
  const opened = next(channel, "open");
  const offer = { name: file.name, size: file.size, sha256: await digest(file) };
  await opened;
  channel.send(JSON.stringify(offer));
  let { from: sent } = JSON.parse((await next(channel, "message")).data);
  report(file.name, sent, file.size);
  while (sent < file.size) {
    const chunk = await file.slice(sent, sent + CHUNK).arrayBuffer();
    channel.send(chunk);
    sent += chunk.byteLength;
    report(file.name, sent, file.size);
    if (channel.bufferedAmount > ENOUGH) await next(channel, "bufferedamountlow");
  }
  const { complete } = JSON.parse((await next(channel, "message")).data);
  channel.close();
  return complete;
}

const inbox = new Map(); // by digest: what has come of each file, and how many bytes that are

// Receive a file over a channel of the other side's; returns it, or null if it arrived as another.
async function receive(channel, report) {
  channel.binaryType = "arraybuffer";
  const { name, size, sha256 } = JSON.parse((await next(channel, "message")).data);
  if (!inbox.has(sha256)) inbox.set(sha256, { parts: [], bytes: 0 });
  const file = inbox.get(sha256);
  channel.send(JSON.stringify({ from: file.bytes }));
  report(name, file.bytes, size);
  while (file.bytes < size) {
    const { data } = await next(channel, "message");
    file.parts.push(data);
    file.bytes += data.byteLength;
    report(name, file.bytes, size);
  }
  const received = new File(file.parts, name);
  const complete = await digest(received) === sha256;
  if (!complete) inbox.delete(sha256);
  channel.send(JSON.stringify({ complete }));
  return complete ? received : null;
}

async function digest(file) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
