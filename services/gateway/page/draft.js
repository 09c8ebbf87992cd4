// What was typed, kept in this tab over a reload.
const KEY = "refrain.new";

const controls = () =>
  document.querySelectorAll("#new :is(input:not([type=file], [type=radio]), select, textarea)");

let kept = {};
try {
  kept = JSON.parse(sessionStorage.getItem(KEY)) ?? {};
} catch {
  // No storage, no draft.
}

export const draft = kept;

export function restoreDraft() {
  for (const control of controls()) restoreControl(control);
  const words = document.querySelector(`[name="words"][value="${kept.words}"]`);
  if (words) words.checked = true;
}

// Also for a select whose options came later.
export function restoreControl(control) {
  const value = kept.values?.[control.id];
  if (value === undefined) return;
  const before = control.value;
  control.value = value;
  if (control.selectedIndex === -1) control.value = before;
}

export function keepDraft(more) {
  kept.values = { ...kept.values };
  for (const control of controls())
    if (control.selectedIndex !== -1) kept.values[control.id] = control.value;
  Object.assign(kept, more);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // No storage, or no room in it.
  }
}

// The id under which this content is sent, so that a repeat creates no second job.
export function requestIdOf(content) {
  if (kept.sent !== content)
    Object.assign(kept, { sent: content, requestId: crypto.randomUUID() });
  keepDraft();
  return kept.requestId;
}

export function dropDraft() {
  for (const key of Object.keys(kept)) delete kept[key];
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // No storage.
  }
}
