// The list of jobs as the gateway sends it, and the way to cancel one.
"use strict";

const CANCELLABLE = new Set(["PENDING", "PROCESSING", "PAUSING", "PAUSED"]);
const RECONNECT_MS = 3000;
const ANSWER_MS = 8000;

const rows = new Map();
const byId = (id) => document.getElementById(id);

// Cancels a job: `await cancelJob("<uuid>")` in the console does, too.
async function cancelJob(jobId, reason = "") {
  let response = await postCancel(jobId, reason);
  if (response.status === 403) {
    // Another program on this host took the cookie's place; this sets it anew.
    await fetch("/", { method: "HEAD" });
    response = await postCancel(jobId, reason);
  }
  return response.json();
}

function postCancel(jobId, reason) {
  return fetch(`/cancel/${encodeURIComponent(jobId)}/`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify({ reason }),
  });
}

function csrfToken() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/);
  return cookie ? cookie[1] : "";
}

function askToCancel(job) {
  const dialog = byId("confirm");
  dialog.returnValue = "";
  dialog.dataset.jobId = job.jobId;
  byId("song").textContent = job.title;
  byId("reason").value = "";
  dialog.showModal();
}

async function onAnswered() {
  const dialog = byId("confirm");
  if (dialog.returnValue !== "cancel") return;
  try {
    const answer = await cancelJob(dialog.dataset.jobId, byId("reason").value);
    showAnswer(answer.message);
  } catch {
    showAnswer("The gateway does not answer; the job was not cancelled. Try again.");
  }
}

let answerTimer;
function showAnswer(message) {
  clearTimeout(answerTimer);
  setNotice("answer", message);
  answerTimer = setTimeout(() => setNotice("answer", ""), ANSWER_MS);
}

function setNotice(id, message) {
  byId(id).textContent = message;
  byId(id).hidden = !message;
}

function connect() {
  const events = new EventSource("/events");
  events.addEventListener("jobs", (event) => {
    setNotice("connection", "");
    showJobs(JSON.parse(event.data));
  });
  events.addEventListener("outage", (event) => setNotice("connection", event.data));
  events.addEventListener("error", () => {
    setNotice("connection", "The connection is lost. Reconnecting…");
    // The browser reconnects by itself, but not after an answer like 502.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MS);
  });
}

function showJobs(jobs) {
  const listed = new Set(jobs.map((job) => job.jobId));
  for (const [jobId, row] of rows) {
    if (!listed.has(jobId)) {
      row.element.remove();
      rows.delete(jobId);
    }
  }
  let next = byId("jobs").firstElementChild;
  for (const job of jobs) {
    const { element } = showJob(job);
    // A row that stays where it is keeps its focus.
    if (element === next) next = next.nextElementSibling;
    else byId("jobs").insertBefore(element, next);
  }
  byId("empty").hidden = jobs.length > 0;
}

function showJob(job) {
  const row = rows.get(job.jobId) ?? addRow(job.jobId);
  row.job = job;
  const set = (name, text) => {
    row[name].textContent = text;
    row[name].hidden = !text;
  };
  row.element.dataset.status = job.status.toLowerCase();
  set("title", job.title);
  set("artist", job.artist);
  set("badge", nameOf(job.status));
  set("stage", job.status === "PROCESSING" ? `Stage: ${nameOf(job.stage)}` : "");
  set("segments", segmentsOf(job));
  set("message", job.message || (job.error ? job.error.message : ""));
  row.cancel.hidden = !CANCELLABLE.has(job.status);
  row.cancel.setAttribute("aria-label", `Cancel ${job.title}`);
  row.progress.max = job.segmentsTotal || 1;
  row.progress.value = job.segmentsCompleted;
  row.progress.setAttribute("aria-label", `Segments of ${job.title}`);
  row.video.hidden = job.status !== "COMPLETED";
  row.video.href = `/video/${job.jobId}/`;
  showElapsed(row);
  return row;
}

function addRow(jobId) {
  const element = byId("job").content.firstElementChild.cloneNode(true);
  const row = { element, progress: element.querySelector("progress") };
  for (const part of element.querySelectorAll("[class]")) row[part.className] = part;
  row.cancel.addEventListener("click", () => askToCancel(row.job));
  rows.set(jobId, row);
  return row;
}

function nameOf(value) {
  return value[0] + value.slice(1).toLowerCase();
}

function segmentsOf(job) {
  if (!job.segmentsTotal) return "";
  return `${job.segmentsCompleted} of ${job.segmentsTotal} segments done`;
}

function showElapsed(row) {
  const end = row.job.finishTime ? new Date(row.job.finishTime) : new Date();
  const seconds = Math.max(0, Math.floor((end - new Date(row.job.createTime)) / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  row.elapsed.textContent = text.replace(/^00:/, "").replace(/^0/, "");
}

byId("confirm").addEventListener("close", onAnswered);
byId("keep").addEventListener("click", () => byId("confirm").close());
setInterval(() => {
  for (const row of rows.values()) if (!row.job.finishTime) showElapsed(row);
}, 1000);
connect();
