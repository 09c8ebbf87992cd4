// Starts a video: the form, its preview, and what is wrong with it.
import { post, sentence } from "./api.js";
import { byId, h, setHidden, setText } from "./dom.js";
import { draft, dropDraft, keepDraft, requestIdOf, restoreDraft } from "./draft.js";
import { offerMakers, showPaid } from "./makers.js";
import { explain, preview } from "./preview.js";
import { readForm, wordsFrom } from "./request.js";
import { fillExample, isEmpty, openLyrics, putBack } from "./song.js";
import { isUploading, removeAudio, setAudio, uploadAudio, uploaded } from "./upload.js";
import { clock } from "./words.js";
import { sentenceOf, setHint, showWrong, summarize } from "./wrong.js";

const TYPING_MS = 400;
const LOOKS = [
  ...["dusk", "dawn", "desert", "mist", "moon", "neon"],
  ...["night", "dream", "ember", "sea", "rose"],
];
const FIRST = "Give the title and the words, and see here how the song is cut.";
const AUDIO = "This audio cannot be used. Remove it, and choose a file again.";
const TEXT_FILE = /\.(lrc|txt)$/i;
// Where the page shows what the API says of a field without a control.
const SHOWN_AT = { video: "size" };

const form = byId("new");
const touched = new Set();
// What the gateway refused, and what is wrong with a file, by field.
let refused = {};
let unread = {};
let pressed = false;
let starting = false;

// What depends on what else is in the form.

function arrange() {
  for (const words of ["paste", "lookup", "instrumental"])
    setHidden(byId(`words-${words}`), wordsFrom() !== words);
  setHidden(byId("custom"), byId("size").value !== "");
  for (const look of byId("looks").children)
    look.setAttribute("aria-pressed", look.textContent === byId("style").value.trim());
  const audio = uploaded();
  byId("songDuration").disabled = Boolean(audio);
  setHint("songDuration", audio ? `The audio plays ${clock(audio.seconds)}.` : lengthHint());
  byId("example").disabled = !isEmpty();
  showPaid();
}

function lengthHint() {
  const empty = wordsFrom() === "instrumental" ? "" : " Empty: the lyrics tell.";
  return `Minutes and seconds.${empty}`;
}

// What is wrong is shown once a person has been at the field, or pressed Start.
function showErrors() {
  const wrong = { ...refused, ...readForm(uploaded()).wrong, ...unread };
  const seen = Object.entries(wrong).filter(([field]) => pressed || touched.has(field));
  showWrong(Object.fromEntries(seen));
}

function refusedBy(fields) {
  return Object.fromEntries(
    Object.entries(fields).map(([field, description]) => {
      const place = SHOWN_AT[field] ?? field;
      return [place, field === "audioUri" ? AUDIO : sentenceOf(place, description)];
    }),
  );
}

// The preview follows what is typed.

let typing;
function onChanged() {
  arrange();
  clearTimeout(typing);
  typing = setTimeout(refresh, TYPING_MS);
}

async function refresh() {
  keep();
  offerMakers();
  const { request, wrong } = readForm(uploaded());
  if (Object.keys(wrong).length) {
    const missing = !request.title.trim() || wrong.lyrics;
    explain(missing ? FIRST : Object.values(wrong)[0]);
  } else {
    const fields = await preview(request);
    if (!fields) return;
    refused = refusedBy(fields);
    if (Object.keys(refused).length) explain(Object.values(refused).join(" "));
  }
  showErrors();
}

function keep() {
  if (!starting) keepDraft({ words: wordsFrom(), audio: uploaded() });
}

// Start.

async function onStart(event) {
  event.preventDefault();
  if (starting) return;
  pressed = true;
  unread = {};
  refused = {};
  const { request, wrong } = readForm(uploaded());
  if (isUploading())
    unread.audioUri = wrong.audioUri = "Wait until the audio is uploaded, or cancel the upload.";
  showErrors();
  if (Object.keys(wrong).length) return summarize(wrong);
  setStarting(true);
  try {
    const requestId = requestIdOf(JSON.stringify(request));
    const job = await post("jobs", { ...request, requestId });
    dropDraft();
    location.assign(`/jobs/${job.jobId}`);
  } catch (error) {
    setStarting(false);
    refused = refusedBy(error.fields ?? {});
    showErrors();
    summarize(refused, sentence(error));
  }
}

function setStarting(value) {
  starting = value;
  setText(byId("start"), value ? "Starting…" : "Start the video");
  byId("start").setAttribute("aria-disabled", value);
}

// Files, chosen or dropped.

async function takeLyrics(file) {
  settle("lyrics", await openLyrics(file));
}

async function takeAudio(file) {
  const taking = uploadAudio(file);
  delete unread.audioUri;
  showErrors();
  settle("audioUri", await taking);
}

function settle(field, why) {
  touched.add(field);
  if (why) unread[field] = why;
  else delete unread[field];
  showErrors();
  onChanged();
}

function onDrop(event) {
  event.preventDefault();
  form.classList.remove("dragging");
  const [file] = event.dataTransfer.files;
  if (!file) return;
  const isText = TEXT_FILE.test(file.name) || file.type.startsWith("text/");
  if (isText) takeLyrics(file);
  else takeAudio(file);
}

// A file that misses its place must not replace the page.
window.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  form.classList.add("dragging");
});
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) form.classList.remove("dragging");
});
window.addEventListener("drop", onDrop);

for (const [id, take] of [
  ["lyrics-file", takeLyrics],
  ["audioUri", takeAudio],
]) {
  const control = byId(id);
  const onChosen = () => {
    const [file] = control.files;
    if (!file) return;
    take(file);
    // The same file can be chosen again.
    control.value = "";
  };
  control.addEventListener("change", onChosen);
  // It may have been chosen before this ran, on a slow machine.
  window.addEventListener("load", onChosen);
}

// What a person does.

form.addEventListener("input", ({ target }) => {
  delete refused[target.id];
  delete unread[target.id];
  onChanged();
});
form.addEventListener("change", ({ target }) => {
  if (target.type === "file") return;
  touched.add(target.id);
  showErrors();
});
form.addEventListener("submit", onStart);
byId("audio-remove").addEventListener("click", () => {
  removeAudio();
  onChanged();
});
byId("undo").addEventListener("click", () => {
  putBack();
  onChanged();
});
byId("example").addEventListener("click", () => {
  fillExample();
  byId("title").focus();
  onChanged();
});
byId("looks").addEventListener("click", ({ target }) => {
  const look = target.closest("button");
  if (!look) return;
  const style = byId("style");
  style.value = style.value.trim() === look.textContent ? "" : look.textContent;
  delete refused.style;
  onChanged();
});
window.addEventListener("pagehide", keep);
// Back from the job: the same form may start another.
window.addEventListener("pageshow", ({ persisted }) => persisted && setStarting(false));

byId("looks").append(
  ...LOOKS.map((look) => h("button.look", { type: "button", "data-look": look }, look)),
);
restoreDraft();
setAudio(draft.audio);
explain(FIRST);
await offerMakers();
arrange();
refresh();
