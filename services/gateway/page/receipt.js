// The receipt of a cancel, what the job cost, and its other facts, in words.
import { byId, h, setHidden } from "./dom.js";
import { clock, dollars, plural, secondsOf, stoppingOf, timeOf, whoOf } from "./words.js";

const CAUSES = {
  USER: "its owner asked",
  ADMIN: "an operator asked",
  DEADLINE: "its time was up",
  BUDGET: "its budget was reached",
};

export function showReceipt(job) {
  const { cancellation } = job;
  setHidden(byId("receipt"), !cancellation);
  if (cancellation) fill("receipt-rows", receiptRows(job, cancellation));
}

function receiptRows(job, cancellation) {
  const { requestedBy, requestTime, reason, segmentsKept } = cancellation;
  return [
    ["Who", `${whoOf(requestedBy)}, at ${timeOf(requestTime)}`],
    ["Why", reason ? `“${reason}”` : "No reason was given"],
    ["Cause", CAUSES[cancellation.cause]],
    ["Stopped", stopped(job)],
    ["Tasks", ...tasks(cancellation)],
    ["Kept", kept(segmentsKept, job.segmentsTotal)],
    ["Providers", ...providers(cancellation.providerCancels)],
    ["Before it", job.error?.message],
  ];
}

function stopped(job) {
  const { requestTime, stopTime, slowestStop } = job.cancellation;
  if (!stopTime) return stoppingOf(job);
  const after = spanOf((Date.parse(stopTime) - Date.parse(requestTime)) / 1000);
  if (!slowestStop) return "at once: nothing ran";
  return `in ${after}, the slowest task in ${spanOf(secondsOf(slowestStop))}`;
}

function tasks(cancellation) {
  return counts(
    [cancellation.tasksSkipped, "never started"],
    [cancellation.tasksAborted, "aborted in flight"],
    [cancellation.tasksFinishedAnyway, "finished anyway"],
    [cancellation.tasksKilled, "killed: ignored the abort"],
    [cancellation.tasksExpired, "lost with their worker"],
  );
}

function providers(answers) {
  return counts(
    [answers.confirmed, "confirmed stopped"],
    [answers.pending, "still being asked"],
    [answers.refused, "refused, and billed"],
    [answers.unsupported, "cannot be stopped, and billed"],
    [answers.unknown, "unknown: no word from them"],
  );
}

function kept(segments, total) {
  if (!total) return "Nothing had been made";
  if (!segments) return `0 of ${plural(total, "segment")}`;
  return `${segments} of ${plural(total, "segment")}: a retry takes them over`;
}

// The same rows as long as they change, so that nothing below them moves.
export function showCost({ finishTime, cancellation, cost }) {
  const running = !finishTime && !cancellation;
  const rows = [
    ["Spent", cost.spentUsd, true],
    ["In flight", cost.inFlightUsd, !finishTime],
    ["Of that, unstoppable", cost.unstoppableUsd, running],
    ["A cancel now saves up to", cost.avoidableUsd, running],
    [cancellation ? "Saved" : "Not spent", cost.avoidedUsd, cancellation],
    ["Probably saved", cost.avoidedProbablyUsd, cancellation],
    ["May still be billed", cost.unknownUsd, cancellation],
  ];
  fill(
    "cost-rows",
    rows
      .filter(([, amount, always]) => always || amount > 0)
      .map(([name, amount]) => [name, dollars(amount)]),
  );
}

export function showAbout(job) {
  const { jobId, retriedFrom, createTime, startTime, finishTime, video, labels } = job;
  const none = finishTime ? "None" : "Not yet";
  fill("about-rows", [
    ["Job", h("code", {}, jobId)],
    ["Retry of", retriedFrom && earlierJob(retriedFrom)],
    ["Created", timeOf(createTime)],
    ["Started", startTime ? timeOf(startTime) : none],
    ["Finished", finishTime ? timeOf(finishTime) : none],
    ["Video", video ? videoOf(video) : none],
    ["Labels", ...Object.entries(labels).map(([key, value]) => `${key}=${value}`)],
  ]);
}

const earlierJob = (jobId) => h("a", { href: `/jobs/${jobId}` }, "an earlier job");

function videoOf({ width, height, duration, sizeBytes }) {
  return [
    width && `${width} × ${height}`,
    duration && clock(secondsOf(duration)),
    sizeBytes > 0 && `${(sizeBytes / 1e6).toFixed(1)} MB`,
  ]
    .filter(Boolean)
    .join(", ");
}

const counts = (...kinds) =>
  kinds.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);

const spanOf = (seconds) =>
  seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;

// Rows of a name and what it says; those that say nothing are left out.
function fill(id, rows) {
  const list = byId(id);
  const said = rows
    .map(([name, ...values]) => [name, values.filter(Boolean)])
    .filter(([, values]) => values.length);
  const text = said
    .flatMap(([name, values]) => [name, ...values.map(textOf)])
    .join("\n");
  if (list.dataset.said === text) return;
  list.dataset.said = text;
  list.replaceChildren(
    ...said.map(([name, values]) =>
      h(
        "div",
        {},
        h("dt", {}, name),
        ...values.map((value) => h("dd", { dir: "auto" }, value)),
      ),
    ),
  );
}

const textOf = (value) => value.href || value.textContent || value;
