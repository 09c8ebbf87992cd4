// Who can make the video here, and the choice among them if there is one.
import { get } from "./api.js";
import { byId, h, setHidden } from "./dom.js";
import { restoreControl } from "./draft.js";

const LOCAL = "local";
const NAMES = {
  local: "Local renderer, no cost",
  gemini: "Gemini",
  omni: "Gemini Omni",
  odyssey: "Odyssey",
  veo: "Veo, cannot be stopped",
};
const FIELDS = {
  storyboardProvider: "storyboardProviders",
  imageProvider: "imageProviders",
  clipProvider: "clipProviders",
};

let asked;

// Resolves once the choices stand in the form; asks again if there was no answer.
export function offerMakers() {
  asked ??= get("serverInfo").then(offer, () => (asked = undefined));
  return asked;
}

function offer(info) {
  setHidden(byId("lookup"), !info.lyricsLookup);
  const choice = Object.values(FIELDS).some((key) => info[key].some((name) => name !== LOCAL));
  if (choice) {
    for (const [field, key] of Object.entries(FIELDS)) {
      const options = info[key].map((name) =>
        h("option", { value: name }, NAMES[name] ?? name),
      );
      byId(field).replaceChildren(...options);
      restoreControl(byId(field));
    }
  }
  setHidden(byId("makers"), !choice);
  setHidden(byId("makers-none"), choice);
  showPaid();
}

// Only who is paid refuses a segment.
export function showPaid() {
  const paid = Object.keys(FIELDS).some((field) => byId(field).value !== LOCAL);
  byId("onRefusal").disabled = !paid;
}
