// A job's own page: everything about it, live, and what may be done with it.
import { offer } from "./actions.js";
import { byId, h, setAttribute, setHidden, setText } from "./dom.js";
import { listen } from "./live.js";
import { say } from "./notices.js";
import { showPlayer } from "./player.js";
import { showAbout, showCost, showReceipt } from "./receipt.js";
import { newestImage, showSegments, takeSegments } from "./segments.js";
import { takeEvent } from "./timeline.js";
import { badgeOf, elapsedOf, lineOf, nameOf, plural, segmentsOf } from "./words.js";

const STAGES = ["LYRICS", "STORYBOARD", "SEGMENTS", "STITCHING"];

const jobId = location.pathname.split("/")[2];
let job;
let drawing;

const stream = listen(
  () => `/live/jobs/${jobId}`,
  {
    job: takeJob,
    segments: ({ segments }) => {
      takeSegments(segments);
      draw();
    },
    event: takeEvent,
    deleted: () => {
      stream.close();
      showAbsence("It has been deleted, and its files with it.");
    },
  },
  () => showAbsence("It may have been deleted, or the address is mistyped."),
);

function takeJob(changed) {
  const before = job;
  job = changed;
  if (before && before.status !== job.status) {
    say(`${job.title} is now ${nameOf(job.status).toLowerCase()}.`);
  }
  draw();
}

// However much comes at once is drawn once.
function draw() {
  drawing ??= requestAnimationFrame(() => {
    drawing = undefined;
    if (job) show();
  });
}

function show() {
  document.title = `${badgeOf(job)}: ${job.title} · Refrain`;
  setAttribute(byId("job"), "data-status", job.status.toLowerCase());
  setText(byId("title"), job.title);
  setText(byId("artist"), job.artist);
  setText(byId("badge"), badgeOf(job));
  setText(byId("line"), sayMore());
  showFailure();
  showSteps();
  setAttribute(byId("progress"), "max", job.segmentsTotal || 1);
  setAttribute(byId("progress"), "value", job.segmentsCompleted);
  setText(byId("done"), segmentsOf(job));
  showElapsed();
  offer(job);
  showSegments(job);
  showPlayer(job, newestImage());
  showReceipt(job);
  showCost(job);
  showAbout(job);
  setHidden(byId("job"), false);
  setAttribute(byId("page"), "aria-busy", "false");
}

// What the badge, the failure and the receipt do not say.
function sayMore() {
  if (job.status === "FAILED") return "";
  if (job.status === "CANCELLED") return job.message;
  const line = lineOf(job);
  const badge = badgeOf(job);
  return line.startsWith(badge) ? line.slice(badge.length).trim() : line;
}

function showElapsed() {
  if (!job) return;
  const whole = job.finishTime ? "in all" : "so far";
  setText(byId("elapsed"), `${elapsedOf(job)} ${whole}`);
}

function showFailure() {
  const failed = job.status === "FAILED";
  setHidden(byId("failure"), !failed);
  if (!failed) return;
  const kept = job.segmentsCompleted;
  setText(byId("error"), job.error?.message || job.message || "It does not say why.");
  setText(
    byId("remedy"),
    kept > 0
      ? `Retry makes a new job of it that takes over ${plural(kept, "finished segment")}.`
      : "Retry makes a new job of it.",
  );
}

function showSteps() {
  const steps = byId("steps");
  if (!steps.children.length) {
    steps.append(...STAGES.map((stage) => h("li", {}, nameOf(stage), h("span.unseen"))));
  }
  const reached = STAGES.indexOf(job.stage);
  [...steps.children].forEach((step, position) => {
    const state = stepOf(position, reached);
    setAttribute(step, "data-state", state);
    setText(step.lastElementChild, `, ${state}`);
    if (state === "under way") setAttribute(step, "aria-current", "step");
    else step.removeAttribute("aria-current");
  });
}

function stepOf(position, reached) {
  if (job.status === "COMPLETED" || position < reached) return "done";
  if (position > reached) return "to come";
  return job.status === "PROCESSING" ? "under way" : "stopped here";
}

function showAbsence(why) {
  job = undefined;
  document.title = "No such job · Refrain";
  setText(byId("absence"), why);
  setHidden(byId("job"), true);
  setHidden(byId("absent"), false);
  setAttribute(byId("page"), "aria-busy", "false");
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  byId("absent").firstElementChild.focus();
}

setInterval(showElapsed, 1000);
