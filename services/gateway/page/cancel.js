// The confirmation before a cancel: what it stops, what it saves, what may be billed.
import { cancelJob, NO_ANSWER } from "./api.js";
import { h } from "./dom.js";
import { notify } from "./notices.js";
import { dollars, plural } from "./words.js";

const MAX_REASON = 1024;

// Asks, and cancels the job if the answer is yes.
export async function askToCancel(job) {
  const reason = await confirmCancel({
    heading: ["Cancel ", h("span", { dir: "auto" }, `“${job.title}”`), "?"],
    points: pointsOf(job),
    action: "Cancel the job",
    keep: "Keep it running",
  });
  if (reason === null) return;
  try {
    notify((await cancelJob(job.jobId, reason)).message);
  } catch {
    // The answer may be what was lost, and not the cancel.
    notify(`${NO_ANSWER} The job may not have been cancelled.`);
  }
}

// Returns the reason, which may be empty; null for a no.
export function confirmCancel({ heading, points, action, keep }) {
  const dialog = h("dialog", {
    "aria-labelledby": "question",
    "aria-describedby": "points",
  });
  const reason = h("input", {
    id: "reason",
    maxLength: MAX_REASON,
    autocomplete: "off",
    placeholder: "Kept in the receipt",
    dir: "auto",
    autofocus: true,
  });
  dialog.append(
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "question" }, ...heading),
      h("ul.points", { id: "points" }, ...points.map((point) => h("li", {}, point))),
      h("div.field", {}, h("label", { for: "reason" }, "Reason (optional)"), reason),
      h(
        "div.choices",
        {},
        h("button.primary", { value: "yes" }, action),
        h("button", { type: "button", onclick: () => dialog.close("no") }, keep),
      ),
    ),
  );
  return shown(dialog).then((answer) => (answer === "yes" ? reason.value : null));
}

// Shows a dialog until it is closed, and returns its answer.
export function shown(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

function pointsOf(job) {
  const { cost, segmentsCompleted } = job;
  return [
    job.tasksRunning > 0
      ? `It stops at once: ${plural(job.tasksRunning, "call")} under way will be aborted.`
      : "It stops at once, and nothing more of it starts.",
    ...moneyPoints(cost),
    segmentsCompleted > 0
      ? `${plural(segmentsCompleted, "finished segment")} will be kept: a retry takes them over.`
      : "There will be no video.",
  ];
}

// What a cancel saves, and what may be billed all the same. Nobody knows what was
// spent if spentUsd is undefined.
export function moneyPoints(amounts) {
  const { spentUsd, unknownUsd, avoidableUsd, inFlightUsd, unstoppableUsd } = amounts;
  const points = [];
  if (spentUsd > 0) points.push(`${dollars(spentUsd)} has been spent.`);
  if (unknownUsd > 0) points.push(`${dollars(unknownUsd)} may still be billed for aborted calls.`);
  if (avoidableUsd > 0) points.push(`Saves up to ${dollars(avoidableUsd)} of calls not yet sent.`);
  if (inFlightUsd > 0) points.push(inFlight(inFlightUsd, unstoppableUsd));
  if (points.length || spentUsd === undefined) return points;
  return ["Nothing has been paid for, and nothing will be."];
}

function inFlight(amount, unstoppable) {
  const sent = `${dollars(amount)} is in flight at providers`;
  if (unstoppable <= 0) return `${sent}: they are asked to stop, and may still bill it.`;
  if (unstoppable >= amount) return `${sent}, cannot be stopped, and may still be billed.`;
  return `${sent}: ${dollars(unstoppable)} of it cannot be stopped, the rest may still be billed.`;
}
