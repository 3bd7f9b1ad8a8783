/* What the user has chosen, and its form in the address: everything a link must carry, nothing else. */

const RUNNER = { lr: null, batch_size: null, momentum: 0 };

export const DEFAULTS = {
  data: { kind: "tutorial" },
  target: null,
  features: null,
  loss: "squared",
  runners: ["bgd", "sgd", "mbgd", "adagrad", "adam"].map((solver) => runnerOf(solver)),
  penalty: { kind: "none", strength: 0 },
  standardize: false,
  epochs: 1000,
  seed: 0,
  start: null,
  axes: null,
  by: "passes",
  speed: 1,
  lesson: 0,
  task: 0,
  lang: null,
  theme: null,
};

/** A runner as the server wants it, with what a name alone leaves open. */
export function runnerOf(solver, more = {}) {
  return { solver, ...RUNNER, ...(solver === "mbgd" ? { batch_size: 10 } : {}), ...more };
}

/** One place for the state; `set` tells those who listen which keys changed. */
export class Store {
  #state;
  #listeners = [];

  constructor(state) {
    this.#state = state;
  }

  get() {
    return this.#state;
  }

  set(patch) {
    const changed = Object.keys(patch).filter(
      (key) => JSON.stringify(patch[key]) !== JSON.stringify(this.#state[key]),
    );
    if (!changed.length) return;
    this.#state = { ...this.#state, ...patch };
    const keys = new Set(changed);
    for (const listener of this.#listeners) listener(keys, this.#state);
  }

  on(listener) {
    this.#listeners.push(listener);
  }
}

/** The fragment of the address for this state; what is as usual is left out. */
export function encode(state) {
  const parts = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS)) {
    if (JSON.stringify(state[key]) === JSON.stringify(DEFAULTS[key])) continue;
    const write = WRITE[key] ?? ((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    const text = write(state[key]);
    if (text !== null) parts.set(key, text);
  }
  return parts.toString().replace(/%2C/g, ",").replace(/%3A/g, ":").replace(/%3B/g, ";").replace(/%3D/g, "=");
}

/** The state in a fragment; what it does not know or cannot read stays as usual. */
export function decode(fragment) {
  const state = { ...DEFAULTS };
  for (const [key, text] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (!(key in DEFAULTS)) continue;
    try {
      const value = (READ[key] ?? plain)(text, key);
      if (value !== undefined) state[key] = value;
    } catch {
      // a link that someone shortened or edited: the rest of it still counts
    }
  }
  return state;
}

function plain(text, key) {
  const usual = DEFAULTS[key];
  if (key === "lang") return ["en", "zh"].includes(text) ? text : undefined;
  if (key === "theme") return ["light", "dark"].includes(text) ? text : undefined;
  if (key === "target" || typeof usual === "string") return text;
  const value = JSON.parse(text);
  if (typeof usual === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof usual === "boolean") return value === true;
  return value;
}

const short = (value) => Number(value.toPrecision(4));
const numbers = (text) => (text ? text.split(",").map(Number) : []);

/** "maker:slope=3,noise=0.5" for {kind: "maker", slope: 3, noise: 0.5}. */
function writeOptions(name, options) {
  const pairs = Object.entries(options).map(([key, value]) => `${key}=${value}`);
  return pairs.length ? `${name}:${pairs.join(",")}` : name;
}

function readOptions(text) {
  const at = text.indexOf(":");
  const name = at < 0 ? text : text.slice(0, at);
  const pairs = at < 0 ? [] : text.slice(at + 1).split(",").map((pair) => pair.split("="));
  return [name, Object.fromEntries(pairs.map(([key, value]) => [key, Number.isNaN(Number(value)) ? value : Number(value)]))];
}

const WRITE = {
  data({ kind, x, y, id, ...options }) {
    if (kind === "file") return null; // a file stays on the computer that has it
    if (kind === "points") return `points:${x.map(short).join(",")};${y.map(short).join(",")}`;
    return writeOptions(kind, options);
  },
  runners: (runners) =>
    runners
      .map(({ solver, ...options }) => {
        const usual = runnerOf(solver);
        return writeOptions(solver, Object.fromEntries(Object.entries(options).filter(([key, value]) => value !== usual[key])));
      })
      .join(";"),
  penalty: ({ kind, strength }) => (kind === "none" ? null : `${kind}:${strength}`),
};

const READ = {
  data(text) {
    if (text.startsWith("points:")) {
      const [x, y] = text.slice(7).split(";").map(numbers);
      const whole = x.length === y.length && x.length > 1 && [...x, ...y].every(Number.isFinite);
      return whole ? { kind: "points", x, y } : undefined;
    }
    const [kind, options] = readOptions(text);
    return ["tutorial", "maker", "builtin"].includes(kind) ? { kind, ...options } : undefined;
  },
  runners(text) {
    const found = text.split(";").filter(Boolean).map((part) => {
      const [solver, options] = readOptions(part);
      return runnerOf(solver, Object.fromEntries(Object.entries(options).filter(([, value]) => Number.isFinite(value))));
    });
    return found.length ? found : undefined;
  },
  penalty(text) {
    const [kind, strength] = text.split(":");
    return ["l1", "l2"].includes(kind) && Number.isFinite(Number(strength)) ? { kind, strength: Number(strength) } : undefined;
  },
};
