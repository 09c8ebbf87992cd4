// The segments as cut, and what they cost, before anything is paid.
import { post, sentence } from "./api.js";
import { byId, h, setHidden, setText } from "./dom.js";
import { clock, dollars, plural, secondsOf } from "./words.js";

const FREE = "no cost";

let asking;
let shownFor;

// Shows a sentence in place of segments.
export function explain(text) {
  stop();
  setText(byId("outcome"), "");
  setText(byId("preview-empty"), text);
  setHidden(byId("preview-empty"), false);
  setHidden(byId("segments"), true);
  byId("strip").replaceChildren();
}

function stop() {
  asking?.abort();
  asking = shownFor = undefined;
  setBusy("false");
}

const setBusy = (busy) => byId("segments").setAttribute("aria-busy", busy);

// Asks for the preview of this request, and gives up on the one before. Resolves to
// what the gateway refuses, by field; null if a newer one has taken its place.
export async function preview(request) {
  const content = JSON.stringify(request);
  if (content === shownFor) return {};
  stop();
  const own = (asking = new AbortController());
  shownFor = content;
  setBusy("true");
  const answer = await post("jobs:preview", request, own.signal).catch((error) => error);
  if (asking !== own) return null;
  asking = undefined;
  setBusy("false");
  if (!(answer instanceof Error)) {
    show(answer);
    return {};
  }
  explain(sentence(answer));
  return answer.fields ?? {};
}

function show({ segments, estimateUsd, songDuration, lyricsLookedUp }) {
  if (!segments.length) {
    explain("The words are looked up once it starts: the segments are cut then.");
    return;
  }
  const price = estimateUsd ? `about ${dollars(estimateUsd)}` : FREE;
  const length = clock(secondsOf(songDuration));
  setText(byId("outcome"), `${plural(segments.length, "segment")} · ${length} · ${price}`);
  setHidden(byId("preview-empty"), !lyricsLookedUp);
  setText(byId("preview-empty"), "Cut without the words, which are looked up once it starts.");
  byId("segments").replaceChildren(...segments.map(rowOf));
  setHidden(byId("segments"), false);
  byId("strip").replaceChildren(...segments.map(shareOf));
}

const spanOf = ({ startOffset, endOffset }) => [startOffset, endOffset].map(secondsOf);

function rowOf(segment) {
  const [start, end] = spanOf(segment);
  return h(
    "li",
    {},
    h("p.span.soft.number", {}, `${clock(start)} – ${clock(end)}`),
    segment.estimateUsd > 0 && h("p.price.soft.number", {}, dollars(segment.estimateUsd)),
    h(
      "div.lines",
      {},
      ...segment.lines.map(({ text }) => h("p", { dir: "auto" }, text)),
      !segment.lines.length && h("p.soft", {}, "No words"),
    ),
  );
}

// How much of the song it is, in the strip of all.
function shareOf(segment) {
  const [start, end] = spanOf(segment);
  const share = h(segment.lines.length ? "span.sung" : "span");
  share.style.flexGrow = end - start;
  return share;
}
