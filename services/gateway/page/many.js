// Cancels of many jobs: those that are selected, or all that match the filter.
import { ApiError, post, sentence } from "./api.js";
import { confirmCancel, moneyPoints, shown } from "./cancel.js";
import { h } from "./dom.js";
import { notify } from "./notices.js";
import { nameOf, plural } from "./words.js";

const NONE = "No job that matches can be cancelled.";

// Asks, cancels each of these jobs, and shows what became of each.
export async function cancelSelected(jobs) {
  const total = (amount) => jobs.reduce((sum, job) => sum + job.cost[amount], 0);
  const kept = jobs.reduce((sum, job) => sum + job.segmentsCompleted, 0);
  const running = jobs.filter((job) => job.tasksRunning > 0).length;
  const reason = await confirmMany(jobs.length, running, {
    spentUsd: total("spentUsd"),
    unknownUsd: total("unknownUsd"),
    avoidableUsd: total("avoidableUsd"),
    inFlightUsd: total("inFlightUsd"),
    unstoppableUsd: total("unstoppableUsd"),
    kept,
  });
  if (reason === null) return;
  await attempt(async () => {
    const jobIds = jobs.map((job) => job.jobId);
    const { results } = await post("jobs:batchCancel", { jobIds, reason });
    const titles = new Map(jobs.map((job) => [job.jobId, job.title]));
    const lines = results.map(({ jobId, status, job }) => ({
      title: titles.get(jobId),
      outcome: job ? nameOf(job.status) : status.message,
      refused: !job,
    }));
    const count = (outcome) => lines.filter((line) => line.outcome === outcome).length;
    const [cancelled, cancelling] = [count("Cancelled"), count("Cancelling")];
    const refused = lines.length - cancelled - cancelling;
    await showResults(lines, { cancelled, cancelling, refused });
  });
}

// Asks with the dry run's count, and cancels all jobs of the filter.
export async function cancelMatching(filter) {
  const request = Object.keys(filter).length ? { filter } : { all: true };
  await attempt(async () => {
    const found = await post("jobs:cancel", { ...request, dryRun: true });
    const count = found.cancelled + found.cancelling + found.remaining;
    if (!count) return notify(NONE);
    const amounts = { ...found, kept: 0 };
    const reason = await confirmMany(count, found.cancelling, amounts);
    if (reason !== null) await cancelAll({ ...request, reason });
  });
}

// A call takes 10,000; what the last one left is shown, also if it fails.
async function cancelAll(request) {
  const lines = [];
  const counts = { cancelled: 0, cancelling: 0, refused: 0 };
  await attempt(async () => {
    let answer;
    do {
      answer = await post("jobs:cancel", request);
      counts.cancelled += answer.cancelled;
      counts.cancelling += answer.cancelling;
      counts.refused = answer.remaining;
      for (const { title, status } of answer.sample)
        lines.push({ title, outcome: nameOf(status) });
    } while (answer.remaining && answer.cancelled + answer.cancelling);
    // All may have ended while the person read.
    if (!lines.length) notify(NONE);
  });
  if (lines.length) await showResults(lines, counts);
}

function confirmMany(count, running, amounts) {
  const waiting = count - running;
  return confirmCancel({
    heading: [`Cancel ${plural(count, "job")}?`],
    points: [
      `${running.toLocaleString("en")} under way will be aborted, ${waiting.toLocaleString("en")} not begun or paused will not go on.`,
      ...moneyPoints(amounts),
      amounts.kept > 0
        ? `${plural(amounts.kept, "finished segment")} will be kept: a retry takes them over.`
        : "Finished segments are kept: a retry takes them over.",
    ],
    action: `Cancel ${plural(count, "job")}`,
    keep: "Keep them running",
  });
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
    notify(sentence(error));
  }
}

function showResults(lines, counts) {
  const more = counts.cancelled + counts.cancelling + counts.refused - lines.length;
  const dialog = h(
    "dialog",
    { "aria-labelledby": "results" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "results" }, headingOf(counts)),
      h("ul.results", { tabIndex: 0, role: "list", "aria-label": "What became of each" },
        ...lines.map(lineOf),
        more > 0 && h("li.soft", {}, `and ${plural(more, "job")} more`),
      ),
      h("div.choices", {}, h("button.primary", { autofocus: true }, "Close")),
    ),
  );
  return shown(dialog);
}

function headingOf({ cancelled, cancelling, refused }) {
  const parts = [`${plural(cancelled, "job")} cancelled`];
  if (cancelling) parts.push(`${cancelling.toLocaleString("en")} cancelling`);
  if (refused) parts.push(`${refused.toLocaleString("en")} not cancelled`);
  return parts.join(", ");
}

function lineOf({ title, outcome, refused }) {
  return h(
    "li",
    {},
    h("span.of", { dir: "auto" }, title),
    h(refused ? "span.refused" : "span.soft", {}, outcome),
  );
}
