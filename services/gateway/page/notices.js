// Notices at the foot of the page, and the words that a screen reader hears.
import { h, setText } from "./dom.js";

const STAY_MS = 8000;
const SPEAK_MS = 1000;

const answer = h("p.notice", { hidden: true });
const lost = h("p.notice.lost", { hidden: true });
const spoken = h("p.unseen", { role: "status" });
document.body.append(
  h("div.notices", { role: "region", "aria-label": "Notices" }, lost, answer),
  spoken,
);

// Shows a sentence for some seconds, and says it.
let hiding;
export function notify(text) {
  clearTimeout(hiding);
  answer.textContent = text;
  answer.hidden = false;
  say(text);
  hiding = setTimeout(() => (answer.hidden = true), STAY_MS);
}

// Shows that the connection is lost, and why; empty once it is back.
export function setLost(text) {
  if (text === lost.textContent) return;
  lost.textContent = text;
  lost.hidden = !text;
  say(text || "Connected again.");
}

// Says sentences to screen readers; a burst of them becomes one.
let waiting = [];
let speaking;
export function say(text) {
  waiting.push(text);
  speaking ??= setTimeout(() => {
    const some = waiting.slice(0, 3).join(" ");
    setText(spoken, waiting.length > 3 ? `${some} And ${waiting.length - 3} more.` : some);
    waiting = [];
    speaking = undefined;
  }, SPEAK_MS);
}
