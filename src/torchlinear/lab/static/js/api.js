/* The server's door. Every address is relative: the page lives under a secret path, and leaves it never. */

/** An answer that says, in a sentence in both languages, what went wrong. */
export class Refused extends Error {
  constructor(both, status) {
    super(both.en);
    Object.assign(this, { both, status });
  }
}

const plain = (message) => ({ en: message });

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(`./api/${address}`, options);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Refused(plain(""), 0); // the caller says in the user's language that the server is gone
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(body.error ?? plain(`${answer.status} ${answer.statusText}`), answer.status);
  return body;
}

const post = (address, body) =>
  ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const session = () => ask("session");
export const makeData = (spec) => post("data", spec);
export const pointsOf = (data, target, feature) => post("points", { data, target, feature });
export const startRun = (spec) => post("runs", spec);
export const stopRun = (id) => ask(`runs/${id}`, { method: "DELETE" }).catch(() => {});
export const codeOf = (id) => ask(`runs/${id}/code`);
export const reportAddress = (id, language) => `./api/runs/${id}/report?lang=${language}`;

/** Send a file as it is; the server reads it while it comes. */
export const upload = (file) => ask(`upload?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });

/**
 * Listen to a run. `hear(kind, data)` gets start, contour, frames, and at last end or failed.
 * Returns a function that stops listening, which also stops the run.
 */
export function listen(id, hear) {
  const source = new EventSource(`./api/runs/${id}/events`);
  for (const kind of ["start", "contour", "frames", "end", "failed"]) {
    source.addEventListener(kind, (event) => {
      if (kind === "end" || kind === "failed") source.close();
      hear(kind, JSON.parse(event.data));
    });
  }
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) return;
    source.close();
    hear("failed", { error: null });
  };
  return () => source.close();
}
