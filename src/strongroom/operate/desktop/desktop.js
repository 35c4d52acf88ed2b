// Opens the environment's desktop full screen. The gateway cuts each stream at a fixed age; this page comes back at
// once, and the gateway judges anew whether it may.
import RFB from "/novnc/core/rfb.js";

const words = document.getElementById("words");
const screen = document.getElementById("screen");
const WAITS = [50, 250, 1000, 2000, 5000];
let failures = 0;
let desktop = null;

function say(text, refused = false) {
  words.textContent = text;
  words.classList.toggle("refused", refused);
}

async function refusal() {
  // A browser does not tell scripts why a stream was refused; the page's own address is judged by the same rule.
  const answer = await fetch("/", { method: "GET", cache: "no-store", redirect: "manual" });
  if (answer.status === 401 || answer.status === 403) return (await answer.text()) || "You may not be here now.";
  return null;
}

async function lost() {
  desktop = null;
  let reason = null;
  try {
    reason = await refusal();
  } catch {
    // The network is away: waiting and trying again is all there is to do.
  }
  if (reason !== null) {
    screen.replaceChildren();
    say(reason, true);
    return;
  }
  const wait = WAITS[Math.min(failures, WAITS.length - 1)];
  failures += 1;
  if (failures > 2) say("The desktop does not answer. Trying again…");
  setTimeout(open, wait);
}

function open() {
  screen.replaceChildren();
  desktop = new RFB(screen, `wss://${location.host}/websockify`, { shared: true });
  desktop.viewOnly = false;
  // The screen inside keeps its size; a smaller window shows it smaller, never cut.
  desktop.scaleViewport = true;
  desktop.resizeSession = false;
  desktop.focusOnClick = true;
  desktop.addEventListener("connect", () => { failures = 0; say(""); desktop.focus(); });
  desktop.addEventListener("disconnect", lost);
}

open();
