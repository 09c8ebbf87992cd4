// Cancels of many jobs: those that are selected, or all that match the filter.
import { ApiError, post, sentence } from "./api.js";
import { confirmCancel, moneyPoints, shown } from "./cancel.js";
import { h } from "./dom.js";
import { notify } from "./notices.js";
import { nameOf, plural } from "./words.js";

// Asks, cancels each of these jobs, and shows what became of each.
export async function cancelSelected(jobs) {
  const total = (amount) => jobs.reduce((sum, job) => sum + job.cost[amount], 0);
  const kept = jobs.reduce((sum, job) => sum + job.segmentsCompleted, 0);
  const running = jobs.filter((job) => job.tasksRunning > 0).length;
  const reason = await confirmMany(jobs.length, running, {
    spentUsd: 0,
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
    await showResults(lines, lines.length);
  });
}

// Asks with the dry run's count, and cancels all jobs of the filter.
export async function cancelMatching(filter) {
  const request = Object.keys(filter).length ? { filter } : { all: true };
  await attempt(async () => {
    const found = await post("jobs:cancel", { ...request, dryRun: true });
    const count = found.cancelled + found.cancelling + found.remaining;
    if (!count) return notify("No job that matches can be cancelled.");
    const amounts = { ...found, spentUsd: 0, kept: 0 };
    const reason = await confirmMany(count, found.cancelling, amounts);
    if (reason !== null) await cancelAll({ ...request, reason });
  });
}

async function cancelAll(request) {
  const lines = [];
  let count = 0;
  let answer;
  do {
    answer = await post("jobs:cancel", request);
    count += answer.cancelled + answer.cancelling;
    for (const job of answer.sample)
      lines.push({ title: job.title, outcome: nameOf(job.status) });
    // What is left when a call changed nothing is held by others, who end it.
  } while (answer.remaining && answer.cancelled + answer.cancelling);
  await showResults(lines, count);
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

function showResults(lines, count) {
  const refused = lines.filter((line) => line.refused).length;
  const dialog = h(
    "dialog",
    { "aria-labelledby": "results" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "results" }, headingOf(count - refused, refused)),
      h("ul.results", { tabIndex: 0, role: "list", "aria-label": "What became of each" },
        ...lines.map(lineOf),
        count > lines.length && h("li.soft", {}, `and ${plural(count - lines.length, "job")} more`),
      ),
      h("div.choices", {}, h("button.primary", { autofocus: true }, "Close")),
    ),
  );
  return shown(dialog);
}

function headingOf(cancelled, refused) {
  const done = `${plural(cancelled, "job")} cancelled`;
  return refused ? `${done}, ${refused} could not be` : done;
}

function lineOf({ title, outcome, refused }) {
  return h(
    "li",
    {},
    h("span.of", { dir: "auto" }, title),
    h(refused ? "span.refused" : "span.soft", {}, outcome),
  );
}
