// The list of jobs: filtered, paged, live, and cancelled one by one or many at once.
import { askToCancel } from "./cancel.js";
import { byId, h, setHidden, setText } from "./dom.js";
import { listen } from "./live.js";
import { cancelMatching, cancelSelected } from "./many.js";
import { say } from "./notices.js";
import { jobOf, listed, showElapsed, takeJobs } from "./rows.js";
import { CANCELLABLE, nameOf, STATUSES } from "./words.js";

const TYPING_MS = 250;
const ACTIVE = "ACTIVE";
const ACTIVE_STATUSES = [...CANCELLABLE, "CANCELLING"];

let stream;
let nextPageToken = "";
let lastPicked;

// What is shown stands in the address, so that a reload and the way back keep it.
function view() {
  const asked = new URLSearchParams(location.search);
  return {
    text: asked.get("text") ?? "",
    status: asked.get("status") ?? "",
    size: asked.get("size") ?? "50",
    page: asked.get("page") ?? "",
  };
}

function statusesOf({ status }) {
  if (status === ACTIVE) return ACTIVE_STATUSES;
  return STATUSES.includes(status) ? [status] : [];
}

function go(changes, newer = []) {
  const asked = Object.entries({ ...view(), page: "", ...changes }).filter(
    ([name, value]) => value && !(name === "size" && value === "50"),
  );
  const query = new URLSearchParams(asked).toString();
  history.pushState({ newer }, "", query ? `/?${query}` : "/");
  open();
}

function streamUrl() {
  const { text, size, page } = view();
  const asked = new URLSearchParams({ pageSize: size });
  if (text) asked.set("filter.text", text);
  if (page) asked.set("pageToken", page);
  for (const status of statusesOf(view())) asked.append("filter.statuses", status);
  return `/live/jobs?${asked}`;
}

function open() {
  const { text, status, size } = view();
  if (document.activeElement !== byId("text")) byId("text").value = text;
  byId("status").value = status;
  byId("size").value = size;
  byId("jobs").setAttribute("aria-busy", "true");
  stream?.close();
  stream = listen(
    streamUrl,
    {
      list: (page) => {
        takeJobs(page.jobs, page.jobs.map((job) => job.jobId), announce);
        onTaken(page);
      },
      changes: (page) => {
        takeJobs(page.jobs, page.jobIds, announce);
        onTaken(page);
      },
    },
    () => location.search && go({ text: "", status: "", size: "" }),
  );
  showMatching();
}

function onTaken(page) {
  nextPageToken = page.nextPageToken ?? nextPageToken;
  byId("jobs").setAttribute("aria-busy", "false");
  setHidden(byId("older"), !nextPageToken);
  setHidden(byId("newer"), !view().page);
  showEmpty();
  showMatching();
  showPicked();
}

function announce(job, before) {
  if (job.status === before.status) return;
  say(`${job.title} is now ${nameOf(job.status).toLowerCase()}.`);
}

function showEmpty() {
  const empty = byId("empty");
  setHidden(empty, listed().length > 0);
  if (empty.hidden) return;
  const filtered = location.search !== "";
  empty.replaceChildren(
    h("h2", {}, filtered ? "No job matches" : "No jobs yet"),
    h("p", {}, filtered ? "Try another word, or another status." : "A song becomes a video, and stops the moment you ask."),
    filtered
      ? h("button", { type: "button", onclick: () => go({ text: "", status: "" }) }, "Show all jobs")
      : h("a.button.primary", { href: "/new" }, "Start a video"),
  );
}

// Selection.

const picks = () =>
  [...document.querySelectorAll(".pick:checked")].filter((pick) => !pick.disabled);

function showPicked() {
  const picked = picks();
  const open = document.querySelectorAll(".pick:enabled").length;
  setHidden(byId("picked"), picked.length === 0);
  setText(byId("count"), `${picked.length.toLocaleString("en")} selected`);
  byId("all").checked = open > 0 && picked.length === open;
  byId("all").indeterminate = picked.length > 0 && picked.length < open;
  byId("all").disabled = open === 0;
}

function onPick(event) {
  const pick = event.target.closest(".pick");
  if (!pick) return;
  if (event.shiftKey && lastPicked?.isConnected) {
    const all = [...document.querySelectorAll(".pick")];
    const [from, to] = [all.indexOf(lastPicked), all.indexOf(pick)].sort((a, b) => a - b);
    for (const each of all.slice(from, to + 1))
      if (!each.disabled) each.checked = pick.checked;
  }
  lastPicked = pick;
  showPicked();
}

function setAll(checked) {
  for (const pick of document.querySelectorAll(".pick:enabled")) pick.checked = checked;
  showPicked();
}

// "Cancel all", with what the filter narrows it to.

function matchingFilter() {
  const { text, status } = view();
  const statuses = statusesOf(view()).filter((each) => CANCELLABLE.has(each));
  return {
    ...(text && { text }),
    ...(status && status !== ACTIVE && { statuses }),
    ...(status === ACTIVE && { statuses: [...CANCELLABLE] }),
  };
}

function showMatching() {
  const { text, status } = view();
  const narrowed = text || status;
  setText(byId("matching"), narrowed ? "Cancel all matching…" : "Cancel all jobs…");
  const none = byId("jobs").getAttribute("aria-busy") === "false" && !listed().length;
  byId("matching").disabled = none || (Boolean(status) && !matchingFilter().statuses.length);
}

// What a person does.

let typing;
byId("text").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ text: byId("text").value.trim() }), TYPING_MS);
});
byId("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  go({ text: byId("text").value.trim() });
});
byId("status").addEventListener("change", (event) => go({ status: event.target.value }));
byId("size").addEventListener("change", (event) => go({ size: event.target.value }));
byId("older").addEventListener("click", () => {
  go({ page: nextPageToken }, [...(history.state?.newer ?? []), view().page]);
  onPaged();
});
byId("newer").addEventListener("click", () => {
  const newer = history.state?.newer ?? [];
  go({ page: newer.at(-1) ?? "" }, newer.slice(0, -1));
  onPaged();
});
byId("jobs").addEventListener("click", (event) => {
  onPick(event);
  if (event.target.closest(".cancel")) askToCancel(jobOf(event.target));
});
byId("all").addEventListener("change", (event) => setAll(event.target.checked));
byId("drop-picked").addEventListener("click", () => setAll(false));
byId("cancel-picked").addEventListener("click", async () => {
  await cancelSelected(picks().map(jobOf));
  setAll(false);
  byId("jobs").focus();
});
byId("matching").addEventListener("click", () => cancelMatching(matchingFilter()));
window.addEventListener("popstate", open);

function onPaged() {
  window.scrollTo(0, 0);
  byId("jobs").focus({ preventScroll: true });
}

byId("status").append(
  h("option", { value: "" }, "All"),
  h("option", { value: ACTIVE }, "Under way"),
  ...STATUSES.map((status) => h("option", { value: status }, nameOf(status))),
);
setInterval(showElapsed, 1000);
open();
