// Jobs in words, and what is shown of them on every page.

export const STATUSES = [
  "PENDING",
  "PROCESSING",
  "PAUSING",
  "PAUSED",
  "CANCELLING",
  "CANCELLED",
  "COMPLETED",
  "FAILED",
];
export const CANCELLABLE = new Set(["PENDING", "PROCESSING", "PAUSING", "PAUSED"]);

// "PROCESSING" -> "Processing"
export function nameOf(value) {
  return value[0] + value.slice(1).toLowerCase().replaceAll("_", " ");
}

export function badgeOf(job) {
  return job.status.endsWith("ING") && ["PAUSING", "CANCELLING"].includes(job.status)
    ? `${nameOf(job.status)}…`
    : nameOf(job.status);
}

export function stageOf(job) {
  return job.status === "PROCESSING" && job.stage !== "STAGE_UNSPECIFIED"
    ? `Stage: ${nameOf(job.stage)}`
    : "";
}

export function segmentsOf(job) {
  if (!job.segmentsTotal) return "";
  return `${job.segmentsCompleted} of ${job.segmentsTotal} segments`;
}

export function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

// US dollars; to the cent from a dollar on, below that to a hundredth of a cent.
export function dollars(amount) {
  if (!amount) return "$0";
  const digits = amount >= 1 ? 2 : 4;
  return `$${amount.toLocaleString("en", {
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  })}`;
}

// "1:02:03", or "2:03", of seconds.
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return text.replace(/^00:/, "").replace(/^0/, "");
}

// Seconds of protobuf's "1.5s".
export function secondsOf(duration) {
  return duration ? Number.parseFloat(duration) : 0;
}

export function elapsedOf(job) {
  const end = job.finishTime ? Date.parse(job.finishTime) : Date.now();
  return clock((end - Date.parse(job.createTime)) / 1000);
}

// A moment of the day, with the date if it was another day.
export function timeOf(timestamp) {
  const time = new Date(timestamp);
  const today = time.toDateString() === new Date().toDateString();
  const day = today ? {} : { day: "numeric", month: "short" };
  return time.toLocaleString(undefined, {
    ...day,
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

// "Cancelling… 2 of 3 calls stopped"
export function stoppingOf(job) {
  const { tasksAborted, tasksFinishedAnyway, tasksKilled, tasksExpired } =
    job.cancellation;
  const stopped = tasksAborted + tasksFinishedAnyway + tasksKilled + tasksExpired;
  const calls = stopped + job.tasksRunning;
  return `Cancelling… ${stopped} of ${plural(calls, "call")} stopped`;
}

// Who, when, why, how fast, what was kept and what was saved; as one phrase each.
function receiptOf(job) {
  const { cancellation, cost } = job;
  return [
    `By ${whoOf(cancellation.requestedBy)} at ${timeOf(cancellation.requestTime)}`,
    cancellation.reason && `“${cancellation.reason}”`,
    stoppedIn(cancellation),
    cancellation.segmentsKept > 0 &&
      `${plural(cancellation.segmentsKept, "segment")} kept`,
    cost.avoidedUsd > 0 && `${dollars(cost.avoidedUsd)} saved`,
    cost.avoidedProbablyUsd > 0 && `${dollars(cost.avoidedProbablyUsd)} probably saved`,
    cost.unknownUsd > 0 && `${dollars(cost.unknownUsd)} may still be billed`,
  ].filter(Boolean);
}

export function whoOf(actor) {
  return actor.replace(/^user:/, "");
}

function stoppedIn({ requestTime, stopTime }) {
  if (!stopTime) return "";
  const seconds = (Date.parse(stopTime) - Date.parse(requestTime)) / 1000;
  return seconds < 0.05 ? "stopped at once" : `stopped in ${seconds.toFixed(1)} s`;
}

// The line under a job: what it is doing, why it failed, or how it was stopped.
export function lineOf(job) {
  if (job.status === "CANCELLING") return stoppingOf(job);
  if (job.status === "CANCELLED") return [job.message, ...receiptOf(job)].join(" · ");
  return job.message || job.error?.message || "Waiting for a worker";
}
