// The video once it exists; until then its place, with the newest picture of it.
import { artifactUrl } from "./api.js";
import { byId, h, setAttribute, setHidden, setText } from "./dom.js";

const MEANWHILE = {
  PENDING: "The video comes here. The job waits for a worker.",
  PROCESSING: "The video comes here when its clips are joined.",
  PAUSING: "The video comes here after the pause.",
  PAUSED: "The video comes here after the pause.",
  CANCELLING: "There will be no video.",
  CANCELLED: "It was stopped before there was a video.",
  FAILED: "There is no video: the job failed.",
};

const place = byId("player");
const picture = h("img", { alt: "", width: 1280, height: 720, hidden: true });
const meanwhile = h("p");
let playing;

// A picture whose file is gone leaves its place empty.
export function hideIfMissing(image) {
  image.addEventListener("error", () => image.classList.add("missing"));
  image.addEventListener("load", () => image.classList.remove("missing"));
}

export function showPlayer(job, image) {
  if (job.video?.uri) return play(job);
  if (!meanwhile.isConnected) place.replaceChildren(picture, meanwhile);
  if (image) setAttribute(picture, "src", artifactUrl(image));
  setHidden(picture, !image);
  setText(meanwhile, MEANWHILE[job.status] ?? "");
}

function play({ jobId, title, video }) {
  if (playing === video.uri) return;
  playing = video.uri;
  const player = h("video", {
    src: `/video/${jobId}/`,
    controls: true,
    preload: "metadata",
    playsInline: true,
    "aria-label": `Video of ${title}`,
  });
  if (video.posterUri) player.poster = artifactUrl(video.posterUri);
  if (video.captionsUri) {
    player.append(
      h("track", {
        kind: "captions",
        label: "Lyrics",
        src: artifactUrl(video.captionsUri),
      }),
    );
  }
  place.replaceChildren(player);
}

hideIfMissing(picture);
