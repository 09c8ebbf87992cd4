// The audio of the song: uploaded while the rest is typed.
import { ApiError, csrfToken, NO_ANSWER, renewToken } from "./api.js";
import { byId, setHidden, setText } from "./dom.js";
import { say } from "./notices.js";
import { clock, secondsOf } from "./words.js";

const MAX_MB = 200;
const control = byId("audioUri");

let audio;
let upload;

export const isUploading = () => Boolean(upload);
// { audioUri, name, seconds }, or undefined.
export const uploaded = () => audio;

export function setAudio(value) {
  audio = value;
  show();
}

// Resolves to what is wrong with the file; empty if it was taken, or taken back.
export async function uploadAudio(file) {
  removeAudio();
  if (file.size > MAX_MB * 2 ** 20)
    return `${file.name} is larger than ${MAX_MB} MB. Choose a smaller file.`;
  const own = (upload = { name: file.name, size: file.size, sent: 0 });
  show();
  byId("audio-remove").focus();
  say(`Uploading ${file.name}.`);
  const answer = await send(own, file).catch((error) => error);
  // Another file, or none, has taken its place.
  if (upload !== own) return "";
  upload = undefined;
  if (answer instanceof Error) {
    leave();
    return answer instanceof ApiError ? wordsOf(answer, file) : NO_ANSWER;
  }
  const seconds = secondsOf(answer.duration);
  setAudio({ audioUri: answer.audioUri, name: file.name, seconds });
  say(`Uploaded. The audio plays ${clock(seconds)}.`);
  return "";
}

export function removeAudio() {
  const { request } = upload ?? {};
  upload = audio = undefined;
  request?.abort();
  leave();
}

function leave() {
  const focused = byId("audio-some").contains(document.activeElement);
  control.value = "";
  show();
  if (focused) control.focus();
}

// Once more if another program on this host replaced the cookie.
async function send(own, file) {
  const token = await csrfToken();
  try {
    return await sendWith(token, own, file);
  } catch (error) {
    if (error.status !== 403) throw error;
    await renewToken(token);
    return sendWith(await csrfToken(), own, file);
  }
}

// XMLHttpRequest, because fetch does not tell how much it has sent.
async function sendWith(token, own, file) {
  if (upload !== own) return undefined;
  return new Promise((resolve, reject) => {
    const request = (own.request = new XMLHttpRequest());
    request.open("POST", "/api/v1/audio");
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded }) => {
      own.sent = loaded;
      show();
    };
    request.onload = () => {
      if (request.status === 200) resolve(request.response);
      else if (request.response?.error)
        reject(new ApiError(request.status, request.response.error));
      else reject(new Error());
    };
    request.onerror = request.onabort = () => reject(new Error());
    request.send(file);
  });
}

function wordsOf(error, file) {
  const [description] = Object.values(error.fields);
  return description ? `${file.name}: ${description}.` : error.message;
}

const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(1);

function show() {
  const { name, size, sent } = upload ?? {};
  setHidden(byId("audio-none"), Boolean(upload || audio));
  setHidden(byId("audio-some"), !upload && !audio);
  setText(byId("audio-name"), name ?? audio?.name ?? "");
  setText(byId("audio-state"), upload ? stateOf(sent, size) : `Plays ${clock(audio?.seconds ?? 0)}`);
  setText(byId("audio-remove"), upload ? "Cancel the upload" : "Remove the audio");
  const progress = byId("audio-progress");
  progress.classList.toggle("over", !upload);
  progress.max = size || 1;
  progress.value = upload ? sent : 1;
}

function stateOf(sent, size) {
  if (sent >= size) return "Reading it…";
  return `${megabytes(sent)} of ${megabytes(size)} MB`;
}
