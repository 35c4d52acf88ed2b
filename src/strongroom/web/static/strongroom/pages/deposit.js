/* Sends files to a deposit's receiver (tus 1.0.0), hashing them on the way, and goes on where a connection broke.

   What lies in localStorage are addresses and hashes of this browser's own uploads, never the token or the secret. */

import { Sha256, manifestDigest } from "./sha256.js";

const PART = 4 * 1024 * 1024;
const TRIES = 8;
const box = document.getElementById("upload");
const at = (id) => document.getElementById(id);
const memory = `strongroom deposit ${box.dataset.url}`;
let secret = "";

const known = () => JSON.parse(localStorage.getItem(memory) ?? "{}");
const keep = (name, entry) => localStorage.setItem(memory, JSON.stringify({ ...known(), [name]: entry }));
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

class Refused extends Error {}

async function call(path, options, headers = {}) {
  const authority = secret ? { Authorization: `Bearer ${secret}` } : {};
  const answer = await fetch(new URL(path, box.dataset.url), {
    ...options, credentials: "omit", headers: { "Tus-Resumable": "1.0.0", ...authority, ...headers },
  });
  if (answer.ok) return answer;
  let words = `The receiver answered ${answer.status}.`;
  try {
    const body = await answer.json();
    words = body.message ?? body.reason ?? words;
  } catch { /* An answer without words keeps its number. */ }
  const error = new Refused(words);
  error.status = answer.status;
  throw error;
}

async function open() {
  if (secret) return;
  const body = JSON.stringify({ token: box.dataset.token });
  const answer = await call("/open", { method: "POST", body }, { "Content-Type": "application/json" });
  secret = (await answer.json()).secret;
}

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

async function begin(file, name) {
  const before = known()[name];
  if (before && before.size === file.size) {
    try {
      const answer = await call(before.place, { method: "HEAD" });
      return { place: before.place, offset: Number(answer.headers.get("Upload-Offset")) };
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  const metadata = `filename ${base64(new TextEncoder().encode(name))}`;
  const answer = await call("/files", { method: "POST" }, { "Upload-Length": String(file.size), "Upload-Metadata": metadata });
  const place = answer.headers.get("Location");
  keep(name, { place, size: file.size });
  return { place, offset: 0 };
}

async function sendPart(place, offset, bytes) {
  const sum = base64(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  const headers = {
    "Content-Type": "application/offset+octet-stream",
    "Upload-Offset": String(offset),
    "Upload-Checksum": `sha256 ${sum}`,
  };
  await call(place, { method: "PATCH", body: bytes }, headers);
}

/* Whether trying again can help: the network, a busy receiver, another connection, altered bytes, a moved offset. */
const passing = (error) => !(error instanceof Refused) || [409, 423, 460, 503].includes(error.status);

async function patiently(step, file) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await step();
    } catch (error) {
      if (attempt === TRIES || !passing(error)) throw error;
      say(`The connection to the receiver broke while sending ${file.name}. Trying again…`);
      await pause(Math.min(500 * 2 ** attempt, 15000));
    }
  }
}

async function send(file, progress) {
  const name = file.name.normalize("NFC");
  const hash = new Sha256();
  let { place, offset } = await patiently(() => begin(file, name), file);
  for (let from = 0; from < file.size; from += PART) {
    const bytes = new Uint8Array(await file.slice(from, from + PART).arrayBuffer());
    hash.update(bytes);
    const end = from + bytes.length;
    await patiently(async () => {
      while (offset < end) {
        try {
          await sendPart(place, offset, bytes.subarray(offset - from));
          offset = end;
        } catch (error) {
          const answer = await call(place, { method: "HEAD" });
          offset = Number(answer.headers.get("Upload-Offset"));
          if (offset < end) throw error;
        }
      }
    }, file);
    progress(end);
  }
  keep(name, { place, size: file.size, sha256: hash.hex() });
}

let spoken = "";
function say(words) {
  if (words !== spoken) at("status").textContent = words;
  spoken = words;
}

function trouble(words) {
  const paragraph = document.createElement("p");
  paragraph.className = "govuk-error-message";
  paragraph.textContent = words;
  at("trouble").replaceChildren(...(words ? [paragraph] : []));
}

async function all(files) {
  await open();
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let before = 0;
  for (const [number, file] of files.entries()) {
    say(`File ${number + 1} of ${files.length}: ${file.name}`);
    await send(file, (done) => {
      const share = total ? Math.round((100 * (before + done)) / total) : 100;
      at("progress").value = share;
      at("progress-label").textContent = `Sending: ${share}%`;
    });
    before += file.size;
  }
  at("progress").value = 100;
  say("All files are sent.");
  const sent = Object.entries(known()).filter(([, entry]) => entry.sha256);
  const digest = manifestDigest(sent.map(([name, { size, sha256 }]) => ({ name, size, sha256 })));
  at("digest").textContent = digest;
  sessionStorage.setItem(`${memory} hash`, digest);
  at("upload-form").hidden = true;
  at("finished").hidden = false;
}

at("upload-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  trouble("");
  const files = [...at("files").files];
  if (files.length === 0) {
    trouble("Choose at least one file.");
    at("files").focus();
    return;
  }
  at("send").disabled = true;
  at("going").hidden = false;
  try {
    await all(files);
  } catch (error) {
    const words = error instanceof Refused ? error.message : "The receiver cannot be reached from here.";
    trouble(`${words} What has arrived is kept; send again to go on.`);
  } finally {
    at("send").disabled = false;
  }
});

at("finished").addEventListener("submit", () => localStorage.removeItem(memory));
box.hidden = false;
