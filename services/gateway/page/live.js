// A stream of server-sent events that says when it is lost, and comes back.
import { setLost } from "./notices.js";

const RECONNECT_MS = 1000;
const LOST = "The connection is lost. Reconnecting…";

// Listens until `close()`. `handlers` maps the names of events to functions that get
// their data; `url()` is asked anew for each connection that the browser does not
// resume by itself. `onRefused` is told when the gateway answers that there is no
// such stream.
export function listen(url, handlers, onRefused = () => {}) {
  let source;
  let retry;
  let closed = false;

  function open() {
    if (closed || source || document.hidden) return;
    source = new EventSource(url());
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        setLost("");
        handle(JSON.parse(event.data), event);
      });
    }
    source.addEventListener("outage", (event) => setLost(event.data));
    source.addEventListener("error", onError);
  }

  async function onError() {
    setLost(LOST);
    // The browser reconnects by itself, but not after an answer such as 502.
    if (source?.readyState !== EventSource.CLOSED) return;
    drop();
    retry = setTimeout(open, RECONNECT_MS);
    const refused = await isRefused();
    if (!refused || closed) return;
    close();
    setLost("");
    onRefused();
  }

  async function isRefused() {
    const controller = new AbortController();
    try {
      const response = await fetch(url(), { signal: controller.signal });
      return response.status === 400 || response.status === 404;
    } catch {
      return false;
    } finally {
      controller.abort();
    }
  }

  function drop() {
    source?.close();
    source = undefined;
  }

  // A browser has six connections to a host: tabs that nobody sees leave theirs.
  function onVisibility() {
    if (document.hidden) drop();
    else open();
  }

  function close() {
    closed = true;
    clearTimeout(retry);
    drop();
    document.removeEventListener("visibilitychange", onVisibility);
  }

  document.addEventListener("visibilitychange", onVisibility);
  open();
  return { close };
}
