// The segments as a grid that fills in; one that has its clip plays it.
import { artifactUrl } from "./api.js";
import { shown } from "./cancel.js";
import { byId, h, setAttribute, setHidden, setText } from "./dom.js";
import { hideIfMissing } from "./player.js";
import { clock, dollars, secondsOf } from "./words.js";

const MANY = 60;
const PARTS = ["span", "cost", "lines", "state", "open"];
const AHEAD = ["waiting", "again", "image", "clip"];
const STATES = {
  waiting: "Waiting",
  again: "Waiting to be tried again",
  image: "Image being made…",
  clip: "Clip being made…",
  done: "Done",
  reused: "Taken over",
  failed: "Failed",
  stopped: "Stopped",
  never: "Never started",
};

const grid = byId("segments");
const template = byId("segment").content.firstElementChild;
const segments = new Map();
const cards = new Map();
const stale = new Set();
let newest = "";
let jobId;

export const newestImage = () => newest;

// Takes those that are new or differ.
export function takeSegments(changed) {
  for (const segment of changed) {
    const { position, imageUri } = segment;
    if (imageUri && imageUri !== segments.get(position)?.imageUri) newest = imageUri;
    segments.set(position, segment);
    stale.add(position);
  }
}

// About what segments without a clip will cost.
export function costOfRest() {
  return [...segments.values()]
    .filter(({ clipUri }) => !clipUri)
    .reduce((sum, { estimateUsd }) => sum + estimateUsd, 0);
}

export function showSegments(job) {
  jobId = job.jobId;
  for (const position of [...stale].sort((a, b) => a - b)) {
    show(cards.get(position) ?? addCard(position), segments.get(position));
  }
  stale.clear();
  const planned = segments.size > 0;
  grid.classList.toggle("many", segments.size > MANY);
  setHidden(byId("unplanned"), planned);
  if (!planned) {
    setText(
      byId("unplanned"),
      job.finishTime
        ? "It ended before there was a storyboard."
        : "They come with the storyboard.",
    );
  }
}

function addCard(position) {
  const element = template.cloneNode(true);
  const card = { element, image: element.querySelector("img") };
  for (const part of PARTS) card[part] = element.querySelector(`.${part}`);
  hideIfMissing(card.image);
  card.open.addEventListener("click", () => open(segments.get(position)));
  cards.set(position, card);
  grid.append(element);
  return card;
}

function show(card, segment) {
  const { imageUri, lines, spentUsd, inFlightUsd, estimateUsd } = segment;
  const state = stateOf(segment);
  setAttribute(card.element, "data-state", state);
  if (imageUri) setAttribute(card.image, "src", artifactUrl(imageUri));
  setHidden(card.image, !imageUri);
  setAttribute(card.image, "alt", imageUri ? `Picture of ${nameOf(segment)}` : "");
  setText(card.span, `${segment.position + 1} · ${spanOf(segment)}`);
  const ahead = AHEAD.includes(state) ? estimateUsd : 0;
  setText(card.cost, costOf(spentUsd + inFlightUsd, ahead));
  setText(card.lines, textOf(lines) || "No words");
  card.lines.classList.toggle("none", !lines.length);
  setText(card.state, STATES[state]);
  setHidden(card.open, !opens(segment));
  setAttribute(card.open, "aria-label", opens(segment));
}

function stateOf({ status, imageUri, clipUri, error }) {
  switch (status) {
    case "COMPLETED":
      return clipUri.startsWith(`artifact:jobs/${jobId}/`) ? "done" : "reused";
    case "RUNNING":
      return imageUri ? "clip" : "image";
    case "FAILED":
      return "failed";
    case "CANCELLED":
      return "stopped";
    case "SKIPPED":
      return "never";
    default:
      return error ? "again" : "waiting";
  }
}

function costOf(paid, estimate) {
  if (paid > 0) return dollars(paid);
  return estimate ? `≈ ${dollars(estimate)}` : "";
}

// What a click shows; empty if there is nothing yet.
function opens(segment) {
  if (segment.clipUri) return `Play ${nameOf(segment)}`;
  if (segment.error) return `Show what went wrong with ${nameOf(segment)}`;
  return segment.imageUri ? `Show the picture of ${nameOf(segment)}` : "";
}

function open(segment) {
  const { imageUri, clipUri, lines, prompt, error } = segment;
  const dialog = h("dialog.clip", { "aria-labelledby": "clip", closedBy: "any" });
  const poster = imageUri && artifactUrl(imageUri);
  const src = clipUri && artifactUrl(clipUri);
  dialog.append(
    h(
      "form",
      { method: "dialog" },
      h(
        "h2",
        { id: "clip" },
        `Segment ${segment.position + 1}`,
        h("span.soft.number", {}, spanOf(segment)),
      ),
      src
        ? h("video", { src, poster, controls: true, autoplay: true, loop: true })
        : poster && h("img", { src: poster, alt: `Picture of ${nameOf(segment)}` }),
      error && h("p.failure", { dir: "auto" }, error.message),
      lines.length > 0 &&
        h("div.verse", {}, ...lines.map(({ text }) => h("p", { dir: "auto" }, text))),
      prompt && h("p.soft", { dir: "auto" }, prompt),
      h("div.choices", {}, h("button", { autofocus: true }, "Close")),
    ),
  );
  return shown(dialog);
}

const nameOf = ({ position }) => `segment ${position + 1}`;
const textOf = (lines) => lines.map(({ text }) => text).join("\n");

function spanOf({ startOffset, endOffset }) {
  return `${clock(secondsOf(startOffset))}–${clock(secondsOf(endOffset))}`;
}
