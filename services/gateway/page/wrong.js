// What is wrong with the form: next to each field, and all of it in a summary.
import { byId, h, setAttribute, setHidden, setText } from "./dom.js";

const NOTE = "-note";
const summary = byId("summary");
const controls = [...document.querySelectorAll(`[aria-describedby$="${NOTE}"]`)];
const noteOf = (field) => byId(`${field}${NOTE}`);
for (const { id } of controls) setHint(id, noteOf(id).textContent);

// The line below a field says what to give, or what is wrong in its place.
export function setHint(field, text) {
  const note = noteOf(field);
  note.dataset.hint = text;
  if (!note.classList.contains("wrong")) setText(note, text);
}

// Shows these sentences by field, and none elsewhere.
export function showWrong(wrong) {
  for (const control of controls) {
    const text = wrong[control.id] ?? "";
    const note = noteOf(control.id);
    setText(note, text || note.dataset.hint);
    note.classList.toggle("wrong", Boolean(text));
    if (text) setAttribute(control, "aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
    if (text && byId("more").contains(control)) byId("more").open = true;
  }
  // Struck out in its place: a click on what stands below must not miss it.
  for (const item of summary.querySelectorAll("[data-field]"))
    item.classList.toggle("mended", !wrong[item.dataset.field]);
}

// Lists the fields that are wrong, or the one sentence that is of no field.
export function summarize(wrong, sentence) {
  const fields = controls.map(({ id }) => id).filter((field) => wrong[field]);
  const items = fields.map((field) =>
    h("li", { "data-field": field }, linkTo(field, wrong[field])),
  );
  if (!items.length) items.push(h("li", { dir: "auto" }, sentence));
  summary.querySelector("ul").replaceChildren(...items);
  setHidden(summary, false);
  document.title = "Not started · Refrain";
  summary.focus();
}

function linkTo(field, text) {
  const onclick = (event) => {
    event.preventDefault();
    const label = byId(field).labels[0];
    label.scrollIntoView({ block: "center" });
    byId(field).focus({ preventScroll: true });
  };
  return h("a", { href: `#${field}`, onclick, dir: "auto" }, text);
}

// A violation of the API as a sentence: "is empty" -> "Title is empty."
export function sentenceOf(field, description) {
  const text = description.replace(/[.]$/, "");
  const verb = /^(is|are|has|have|must|last)\b/.test(text);
  return verb ? `${labelOf(field)} ${text}.` : `${text[0].toUpperCase()}${text.slice(1)}.`;
}

export const labelOf = (field) =>
  byId(field)?.labels?.[0]?.firstChild.data.trim() ?? field;
