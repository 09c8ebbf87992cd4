// What may be done with a job: each button asks where it must, and sends.
import { ApiError, post, remove, sentence } from "./api.js";
import { askToCancel, shown } from "./cancel.js";
import { byId, h, setHidden } from "./dom.js";
import { notify } from "./notices.js";
import { costOfRest } from "./segments.js";
import { CANCELLABLE, dollars, plural } from "./words.js";

const ALLOWED = {
  download: (job) => Boolean(job.video),
  retry: (job) => ["CANCELLED", "FAILED"].includes(job.status),
  resume: (job) => ["PAUSING", "PAUSED"].includes(job.status),
  pause: (job) => ["PENDING", "PROCESSING"].includes(job.status) && !job.error,
  hasten: (job) => job.status === "PAUSING",
  cancel: (job) => CANCELLABLE.has(job.status),
  delete: (job) => Boolean(job.finishTime),
};
const ACTIONS = {
  retry,
  resume: () => post(`jobs/${job.jobId}:resume`),
  pause,
  hasten: () => post(`jobs/${job.jobId}:pause`, { mode: "ABORT" }),
  cancel: () => askToCancel(job),
  delete: erase,
};

let job;
// The same until a retry is answered: one whose answer was lost is not made twice.
let requestId = crypto.randomUUID();

// Shows the actions that the job's status allows.
export function offer(current) {
  job = current;
  byId("download").href = `/video/${job.jobId}/`;
  for (const [name, allows] of Object.entries(ALLOWED)) {
    const button = byId(name);
    const allowed = allows(job);
    // The focus stays with the job when its button goes.
    if (!allowed && document.activeElement === button) byId("title").focus();
    setHidden(button, !allowed);
  }
}

for (const [name, act] of Object.entries(ACTIONS)) {
  const button = byId(name);
  button.addEventListener("click", async () => {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
      notify(sentence(error));
    }
  });
}

async function pause() {
  const { jobId, title, tasksRunning } = job;
  let mode = "DRAIN";
  if (tasksRunning > 0) {
    const finish = `${plural(tasksRunning, "call")} under way will come to an end first.`;
    const abort = "What is aborted is done again after the pause.";
    mode = await ask({
      heading: ["Pause ", quoted(title), "?"],
      body: [
        h(
          "fieldset.modes",
          {},
          h("legend.unseen", {}, "What happens to what runs"),
          modeOf("DRAIN", "Let what runs finish", finish),
          modeOf("ABORT", "Abort at once", abort),
        ),
      ],
      action: "Pause the job",
      keep: "Keep it running",
    });
  }
  if (mode) await post(`jobs/${jobId}:pause`, { mode });
}

function modeOf(value, name, meaning) {
  const checked = value === "DRAIN";
  return h(
    "label.mode",
    {},
    h("input", { type: "radio", name: "answer", value, checked, autofocus: checked }),
    h("span", {}, h("b", {}, name), h("span.soft", {}, meaning)),
  );
}

async function retry() {
  const { jobId, title } = job;
  const answer = await ask({
    heading: ["Retry ", quoted(title), "?"],
    body: [listOf(["A new job is made of it; this one stays as it is.", ...reuse(job)])],
    action: "Retry as a new job",
    keep: "Not now",
  });
  if (!answer) return;
  const made = await post(`jobs/${jobId}:retry`, { requestId });
  requestId = crypto.randomUUID();
  location.assign(`/jobs/${made.jobId}`);
}

function reuse({ segmentsTotal, segmentsCompleted }) {
  if (!segmentsTotal) return ["Nothing is there to take over: it begins with the lyrics."];
  const total = plural(segmentsTotal, "segment");
  const rest = costOfRest();
  return [
    segmentsCompleted > 0
      ? `It takes over the storyboard and ${segmentsCompleted} of ${total}.`
      : "It takes over the storyboard; no segment was finished.",
    rest > 0
      ? `The rest costs about ${dollars(rest)} at list prices.`
      : "The rest costs nothing at list prices.",
  ];
}

async function erase() {
  const { jobId, title, video } = job;
  const files = `Its ${video ? "video, " : ""}images, clips and events`;
  const answer = await ask({
    heading: ["Delete ", quoted(title), "?"],
    body: [
      listOf([
        `${files} go with it, and cannot be brought back.`,
        "Segments that a retry took over stay with the retry.",
      ]),
    ],
    action: "Delete the job",
    keep: "Keep it",
    final: true,
  });
  if (!answer) return;
  await remove(`jobs/${jobId}`);
  location.replace("/");
}

// Returns the choice that was made, or "yes"; empty for a no. What is final is not
// done by a stray Enter.
async function ask({ heading, body, action, keep, final = false }) {
  const dialog = h("dialog", { "aria-labelledby": "question" });
  const [{ id }] = body;
  if (id) dialog.setAttribute("aria-describedby", id);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "question" }, ...heading),
    ...body,
    h(
      "div.choices",
      {},
      h("button.primary", { value: "yes", autofocus: !final }, action),
      h("button", { type: "button", autofocus: final, onclick: () => dialog.close("") }, keep),
    ),
  );
  dialog.append(form);
  const answer = await shown(dialog);
  return answer && (new FormData(form).get("answer") ?? answer);
}

const quoted = (title) => h("span", { dir: "auto" }, `“${title}”`);
const listOf = (points) =>
  h("ul.points", { id: "points" }, ...points.map((point) => h("li", {}, point)));
