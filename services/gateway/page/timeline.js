// What happened to the job, in words, oldest first; bursts of the same are one entry.
import { byId, h, setHidden, setText } from "./dom.js";
import { plural, timeOf, whoOf } from "./words.js";

const SHOWN = 30;
const BURST = 3;
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const HAPPENED = {
  CREATED: "Created",
  STAGE_ENTERED: "Lyrics read; writing the storyboard",
  CANCEL_REQUESTED: "Cancel asked for",
  PAUSE_REQUESTED: "Pause asked for",
  PAUSED: "Paused: nothing runs",
  RESUMED: "Resumed",
  CANCELLED: "Cancelled: confirmed stopped",
  COMPLETED: "Video ready",
  FAILED: "The job failed",
};
const BECAME = {
  TASK_STARTED: "begun",
  TASK_COMPLETED: "made",
  TASK_ABORTED: "aborted in flight",
  TASK_RETRIED: "failed once, tried again",
  TASK_FAILED: "failed for good",
  TASK_HANDED_BACK: "handed back unfinished",
  TASK_RESCUED: "taken back from a worker that died",
};
const TASKS = {
  PLAN: {
    name: "Storyboard",
    TASK_STARTED: "Reading the lyrics",
    TASK_COMPLETED: "Storyboard written",
  },
  SEGMENT: { TASK_COMPLETED: "image and clip made" },
  STITCH: {
    name: "Stitching",
    TASK_STARTED: "Stitching the clips",
    TASK_COMPLETED: "Video stitched",
  },
};
const ANSWERS = {
  confirmed: "stopped the call",
  refused: "refused to stop the call",
  pending: "is still being asked to stop the call",
  unknown: "does not say whether the call stopped",
  unsupported: "cannot stop the call",
};

const list = byId("events");
const earlier = byId("earlier");
const entries = [];
const stale = new Set();
let last = 0;
let all = false;
let drawing;

// Takes each event once, however often it comes.
export function takeEvent(event) {
  const sequence = Number(event.sequence);
  if (sequence <= last) return;
  last = sequence;
  const family = familyOf(event);
  let entry = entries.at(-1);
  if (entry?.family !== family) {
    entry = { family, events: [], element: h("li.event") };
    entries.push(entry);
  }
  entry.events.push(event);
  stale.add(entry);
  drawing ??= requestAnimationFrame(draw);
}

// The starts and ends of segments come mixed.
function familyOf({ kind, taskKind }) {
  const made = ["TASK_STARTED", "TASK_COMPLETED"].includes(kind);
  return taskKind === "SEGMENT" && made ? "SEGMENTS" : `${kind} ${taskKind}`;
}

function draw() {
  drawing = undefined;
  for (const entry of stale) {
    if (entry.events.length < BURST) showEach(entry);
    else showBurst(entry);
    if (!entry.element.isConnected) list.append(entry.element);
  }
  stale.clear();
  showNewest();
}

function showNewest() {
  const hidden = all ? 0 : Math.max(0, entries.length - SHOWN);
  entries.forEach(({ element }, index) => setHidden(element, index < hidden));
  if (!hidden && document.activeElement === earlier) list.focus();
  setHidden(earlier, !hidden);
  setText(earlier, `Show all ${entries.length}`);
}

function showEach({ element, events }) {
  element.dataset.tone = toneOf(events.at(-1));
  element.replaceChildren(...events.flatMap(partsOf));
}

function showBurst(entry) {
  const { element, events } = entry;
  const newest = events.at(-1);
  if (!entry.each) {
    entry.each = h("ol");
    entry.summary = h("summary");
    entry.when = h("span.soft.number");
    const details = h("details", {}, entry.summary, entry.each);
    element.replaceChildren(details, entry.when);
  }
  element.dataset.tone = toneOf(newest);
  setText(entry.summary, burstOf(entry));
  const [from, to] = [events[0], newest].map(({ time }) => timeOf(time));
  setText(entry.when, from === to ? from : `${from} – ${to}`);
  const unseen = events.slice(entry.each.children.length);
  entry.each.append(...unseen.map((event) => h("li", {}, ...partsOf(event))));
}

function partsOf(event) {
  const { time, actor, kind, detail } = event;
  const told = kind === "CREATED" || kind === "PROVIDER_CANCEL" ? "" : detail;
  return [
    h("p", {}, wordsOf(event)),
    told && h("p.detail", { dir: "auto" }, shortened(told)),
    h(
      "p.soft.number",
      {},
      h("time", { dateTime: time, title: time }, timeOf(time)),
      ` · ${actorOf(actor)}`,
    ),
  ].filter(Boolean);
}

function wordsOf(event) {
  const { kind, taskKind, position, detail } = event;
  if (kind === "CREATED" && detail) return "Created as a retry of an earlier job";
  if (kind === "PROVIDER_CANCEL") return answerOf(event);
  if (HAPPENED[kind]) return HAPPENED[kind];
  const task = TASKS[taskKind] ?? {};
  const became = task[kind] ?? BECAME[kind] ?? kind;
  if (taskKind === "SEGMENT") return `Segment ${position + 1}: ${became}`;
  return task[kind] ?? `${task.name}: ${became}`;
}

function answerOf({ detail, taskKind, position }) {
  const [provider, state] = detail.split(": ");
  const where = taskKind === "SEGMENT" ? `Segment ${position + 1}: ` : "";
  return `${where}${provider} ${ANSWERS[state] ?? state}`;
}

// "Segments 1–6 made, 7 and 8 begun"
function burstOf({ family, events }) {
  if (family === "SEGMENTS") return progressOf(events);
  if (events[0].kind === "PROVIDER_CANCEL") return answersOf(events);
  const numbers = new Set(events.map(({ position }) => position + 1));
  return `Segments ${rangesOf(numbers)}: ${BECAME[events[0].kind] ?? "the same"}`;
}

function progressOf(events) {
  const begun = new Set();
  const made = new Set();
  for (const { kind, position } of events) {
    if (kind === "TASK_STARTED") begun.add(position + 1);
    else {
      made.add(position + 1);
      begun.delete(position + 1);
    }
  }
  const parts = [
    made.size && `${rangesOf(made)} made`,
    begun.size && `${rangesOf(begun)} begun`,
  ].filter(Boolean);
  return `Segments ${parts.join(", ")}`;
}

function answersOf(events) {
  const counts = new Map();
  for (const { detail } of events) {
    const state = detail.split(": ")[1];
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const each = [...counts].map(([state, count]) => `${count} ${state}`);
  return `${plural(events.length, "call")} asked to stop: ${each.join(", ")}`;
}

// "1–6, 8"
function rangesOf(numbers) {
  const ranges = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range?.to === number - 1) range.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges
    .map(({ from, to }) => (from === to ? `${from}` : `${from}–${to}`))
    .join(", ");
}

function toneOf({ kind }) {
  if (["TASK_FAILED", "FAILED"].includes(kind)) return "failed";
  if (kind === "COMPLETED") return "done";
  return kind.startsWith("TASK_") || kind === "PROVIDER_CANCEL" ? "work" : "mark";
}

function actorOf(actor) {
  const [kind] = actor.split(":");
  if (kind === "worker") return shortened(actor.replace(":", " "));
  return kind === "user" ? whoOf(actor) : `the ${actor}`;
}

// Ids of the same minute begin alike, and differ at their end.
function shortened(text) {
  return text.replace(UUID, (id) => `…${id.slice(-6)}`);
}

earlier.addEventListener("click", () => {
  all = true;
  showNewest();
});
