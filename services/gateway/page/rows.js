// The rows of the list: each shows one job, and changes only where the job did.
import { byId, setAttribute, setHidden, setText } from "./dom.js";
import {
  badgeOf,
  CANCELLABLE,
  dollars,
  elapsedOf,
  lineOf,
  segmentsOf,
  stageOf,
} from "./words.js";

const SLICE_MS = 12;
const PARTS = [
  ...["pick", "title", "artist", "badge", "cancel", "stage", "segments"],
  ...["elapsed", "spent", "line"],
];

const list = byId("jobs");
const template = byId("job").content.firstElementChild;
const jobs = new Map();
const rows = new Map();
const stale = new Set();
let order = [];
let drawing;

export const listed = () => order.map((jobId) => jobs.get(jobId));
export const jobOf = (element) => jobs.get(element.closest(".job")?.dataset.jobId);

// Takes the jobs that are new or differ, and the order of all if that differs; calls
// `onChanged(job, before)` for each that the list showed before.
export function takeJobs(changed, jobIds, onChanged) {
  for (const job of changed) {
    const before = jobs.get(job.jobId);
    jobs.set(job.jobId, job);
    stale.add(job.jobId);
    if (before) onChanged(job, before);
  }
  if (jobIds) setOrder(jobIds);
  draw();
}

function setOrder(jobIds) {
  order = jobIds;
  const kept = new Set(jobIds);
  for (const jobId of jobs.keys()) {
    if (kept.has(jobId)) continue;
    jobs.delete(jobId);
    stale.delete(jobId);
    rows.get(jobId)?.element.remove();
    rows.delete(jobId);
  }
}

// A thousand rows are drawn in slices, a frame each, so that the page answers meanwhile.
function draw() {
  cancelAnimationFrame(drawing);
  const start = performance.now();
  for (const jobId of stale) {
    if (performance.now() - start > SLICE_MS) break;
    stale.delete(jobId);
    show(rows.get(jobId) ?? addRow(jobId), jobs.get(jobId));
  }
  arrange();
  drawing = stale.size ? requestAnimationFrame(draw) : undefined;
}

function arrange() {
  let next = list.firstElementChild;
  for (const jobId of order) {
    const element = rows.get(jobId)?.element;
    // A row that stays where it is keeps its focus.
    if (element === next) next = next?.nextElementSibling;
    else if (element) list.insertBefore(element, next);
  }
}

function addRow(jobId) {
  const element = template.cloneNode(true);
  element.dataset.jobId = jobId;
  const row = { element, progress: element.querySelector("progress") };
  for (const part of PARTS) row[part] = element.querySelector(`.${part}`);
  row.title.href = `/jobs/${jobId}`;
  rows.set(jobId, row);
  return row;
}

function show(row, job) {
  const cancellable = CANCELLABLE.has(job.status);
  setAttribute(row.element, "data-status", job.status.toLowerCase());
  setText(row.title, job.title);
  setText(row.artist, job.artist);
  setText(row.badge, badgeOf(job));
  setText(row.stage, stageOf(job));
  setText(row.segments, segmentsOf(job));
  setText(row.spent, job.cost.spentUsd ? `${dollars(job.cost.spentUsd)} spent` : "");
  setText(row.line, lineOf(job));
  setAttribute(row.progress, "max", job.segmentsTotal || 1);
  setAttribute(row.progress, "value", job.segmentsCompleted);
  setAttribute(row.progress, "aria-label", `Segments of ${job.title}`);
  setAttribute(row.cancel, "aria-label", `Cancel ${job.title}`);
  setAttribute(row.pick, "aria-label", `Select ${job.title}`);
  // The focus stays in the row when its button goes.
  if (!cancellable && document.activeElement === row.cancel) row.title.focus();
  setHidden(row.cancel, !cancellable);
  row.pick.disabled = !cancellable;
  if (!cancellable) row.pick.checked = false;
  setText(row.elapsed, `${elapsedOf(job)} elapsed`);
}

export function showElapsed() {
  for (const [jobId, row] of rows) {
    const job = jobs.get(jobId);
    if (!job.finishTime) setText(row.elapsed, `${elapsedOf(job)} elapsed`);
  }
}
