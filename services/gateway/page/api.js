// The gateway's API as JSON; every write carries the token of this page.

// What the gateway refused: its sentence, and one for each field that is wrong.
export class ApiError extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.fields = Object.fromEntries(
      (error.details ?? [])
        .flatMap((detail) => detail.fieldViolations ?? [])
        .map(({ field, description }) => [field, description]),
    );
  }
}

export const NO_ANSWER = "The gateway does not answer. Try again in a moment.";

let token = null;

// Forgets the token that was refused, unless a newer one has taken its place.
export async function renewToken(refused) {
  if ((await csrfToken()) === refused) token = null;
}

export async function csrfToken() {
  token ??= fetch("/api/v1/csrfToken")
    .then((response) => response.json())
    .then((answer) => answer.csrfToken);
  try {
    return await token;
  } catch (error) {
    token = null;
    throw error;
  }
}

// Sends a write; once more if another program on this host replaced the cookie.
export async function send(path, init) {
  for (const last of [false, true]) {
    const own = await csrfToken();
    const headers = { ...init.headers, "X-CSRFToken": own };
    const response = await fetch(path, { ...init, headers });
    if (response.status !== 403 || last) return response;
    await renewToken(own);
  }
}

export async function get(path) {
  return read(await fetch(`/api/v1/${path}`));
}

export async function post(path, body = {}, signal = null) {
  return read(
    await send(`/api/v1/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    }),
  );
}

export async function remove(path) {
  return read(await send(`/api/v1/${path}`, { method: "DELETE" }));
}

async function read(response) {
  const body = await response.json().catch(() => ({ error: { message: NO_ANSWER } }));
  if (!response.ok) throw new ApiError(response.status, body.error);
  return body;
}

// Cancels a job: `await cancelJob("<uuid>")` in the console does, too.
export async function cancelJob(jobId, reason = "") {
  const response = await send(`/cancel/${encodeURIComponent(jobId)}/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ reason }),
  });
  return response.json();
}

// Where the page reads an artifact, by its URI.
export function artifactUrl(uri) {
  const key = uri.replace(/^artifact:/, "");
  return `/api/v1/artifacts/${key.split("/").map(encodeURIComponent).join("/")}`;
}

// What a person reads of an error of any kind.
export function sentence(error) {
  return error instanceof ApiError ? error.message : NO_ANSWER;
}

window.cancelJob = cancelJob;
// The first click need not wait for it.
csrfToken().catch(() => {});
