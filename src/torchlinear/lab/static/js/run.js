/* One run as the page keeps it: what the server sent, and where each runner is at a moment. */

export const BEFORE = 0.35; // decades of the logarithmic clock between the start, at time 0, and the first frame

/** The frames of one runner, columns side by side. */
class Track {
  constructor({ id, solver, label, lr = null, refusal = null }) {
    Object.assign(this, { id, solver, label, lr, refusal });
    this.passes = [];
    this.seconds = [];
    this.loss = [];
    this.gap = [];
    this.coef = [];
  }

  /** Take frames in, but none that lies beyond the numbers there are: nothing could be drawn of it. */
  add(frames) {
    frames.coef.forEach((coef, i) => {
      if (coef.includes(null)) return;
      for (const column of ["passes", "seconds", "loss", "gap", "coef"]) this[column].push(frames[column][i]);
    });
  }

  get length() {
    return this.passes.length;
  }
}

export class Run {
  constructor(id, spec, dataset) {
    Object.assign(this, { id, spec, dataset, meta: null, contour: null, end: null, failed: null });
    this.tracks = new Map();
  }

  /** Take one event of the stream in. */
  hear(kind, data) {
    if (kind === "start") {
      this.meta = data;
      for (const runner of data.runners) this.tracks.set(runner.id, new Track(runner));
    } else if (kind === "contour") {
      this.contour = data;
    } else if (kind === "frames") {
      this.tracks.get(data.runner)?.add(data);
    } else {
      this[kind] = data;
    }
  }

  get over() {
    return this.end !== null || this.failed !== null;
  }

  /** How many outputs: classes of softmax, else one. */
  get outputs() {
    return this.meta ? Math.round(this.width / (this.meta.names.length + 1)) : 1;
  }

  /** Length of a flattened coefficient vector. */
  get width() {
    const start = this.meta.start ?? this.meta.optimum?.coef;
    return start ? start.length : this.meta.names.length + 1;
  }

  /** First positive and last moment of any runner, on the clock "passes" or "seconds". */
  span(by) {
    let first = Infinity;
    let last = 0;
    for (const track of this.tracks.values()) {
      const times = track[by];
      const positive = times.find((time) => time > 0);
      if (positive === undefined) continue;
      first = Math.min(first, positive);
      last = Math.max(last, times[times.length - 1]);
    }
    return first <= last ? [first, last] : [1, 1];
  }
}

/** Place of a moment on the logarithmic clock: the start lies BEFORE decades ahead of the first frame. */
export const placeOf = (time, first) => (time > 0 ? Math.max(Math.log10(time / first), -BEFORE) : -BEFORE);

/** The moment at a place of the logarithmic clock. */
export const timeAt = (place, first) => (place <= -BEFORE + 1e-9 ? 0 : first * 10 ** place);

/** Index of the last frame at or before `time`. */
export function frameAt(times, time) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Coefficients at `time`: the frame's, or on the way to the next one, as far as the time between them is over. */
export function coefAt(track, by, time) {
  const times = track[by];
  const index = frameAt(times, time);
  const here = track.coef[index];
  const next = track.coef[index + 1];
  if (!next) return here;
  const share = Math.min(1, Math.max(0, (time - times[index]) / (times[index + 1] - times[index])));
  return share > 0 ? here.map((value, j) => value + share * (next[j] - value)) : here;
}

/** The same model in the units of the data: slopes and intercept of output `k`. */
export function inDataUnits(coef, meta, outputs, k = 0) {
  const p = meta.names.length;
  const slopes = [];
  let intercept = coef[p * outputs + k];
  for (let j = 0; j < p; j++) {
    let slope = coef[j * outputs + k];
    if (meta.units) {
      slope /= meta.units.scale[j];
      intercept -= slope * meta.units.center[j];
    }
    slopes.push(slope);
  }
  return { slopes, intercept };
}
