/* From what the user chose to a run: data first, then the run, always the newest choice, one at a time. */

import * as api from "./api.js";
import { Run } from "./run.js";

const PATIENCE = 500; // ms that a run may go on after the user has chosen something else
const SLOW = 2000; // ms without a word from the server after which the page says why

export class Session {
  dataset = null;
  #hear;
  #wanted = null;
  #busy = false;
  #made = null; // the data spec that `dataset` answers to
  #cancel = null;
  #slow = 0;

  /** `hear(kind, value)`: dataset, news (of the run), problem (a sentence), waiting (whether nothing has come for long). */
  constructor(hear) {
    this.#hear = hear;
  }

  /** Run what `state` says, now or as soon as the run before is over or out of patience. */
  async refresh(state, how = {}) {
    this.#wanted = { state, how };
    if (this.#busy) {
      setTimeout(() => this.#wanted && this.#cancel?.(), PATIENCE);
      return;
    }
    this.#busy = true;
    while (this.#wanted) {
      const { state: next, how: manner } = this.#wanted;
      this.#wanted = null;
      this.#wait();
      try {
        await this.#once(next, manner);
      } catch (problem) {
        this.#hear("problem", problem);
      }
      this.#rest();
    }
    this.#busy = false;
  }

  /** Take a file as the data; returns what the server found in it. */
  async take(file) {
    const dataset = await api.upload(file);
    this.adopt(dataset);
    return dataset;
  }

  /** Use a data set that the server holds already. */
  adopt(dataset) {
    this.dataset = dataset;
    this.#made = JSON.stringify(fileSpec(dataset));
    this.#hear("dataset", dataset);
  }

  async #data(spec, again = false) {
    const key = JSON.stringify(spec);
    if (key === this.#made && !again) return;
    if (spec.kind === "file") throw new api.Refused({ en: "file" }, 404);
    this.dataset = await api.makeData(spec);
    this.#made = key;
    this.#hear("dataset", this.dataset);
  }

  /** From now on silence is noticed. */
  #wait() {
    this.#rest();
    this.#slow = setTimeout(() => this.#hear("waiting", true), SLOW);
  }

  #rest() {
    clearTimeout(this.#slow);
    this.#hear("waiting", false);
  }

  async #once(state, how) {
    await this.#data(state.data);
    let spec = choose(state, this.dataset);
    let answer;
    try {
      answer = await api.startRun(spec);
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      await this.#data(state.data, true); // the server keeps few data sets and has dropped ours
      spec = choose(state, this.dataset);
      answer = await api.startRun(spec);
    }
    const run = new Run(answer.run, spec, this.dataset);
    await new Promise((done) => {
      const stop = api.listen(run.id, (kind, data) => {
        this.#wait();
        run.hear(kind, data);
        if (run.meta) this.#hear("news", { run, kind, how });
        if (kind === "failed") this.#hear("problem", new api.Refused(data.error ?? { en: "" }, data.error ? 422 : 0));
        if (run.over) done();
      });
      this.#cancel = () => {
        stop();
        api.stopRun(run.id);
        done();
      };
    });
    this.#cancel = null;
  }
}

/** How the state names a data set that came as a file. */
export const fileSpec = ({ id, name }) => ({ kind: "file", id, name });

/** What to run on this data set: the choices that fit it, and its own suggestions for the others. */
export function choose(state, dataset) {
  const column = new Map(dataset.columns.map((found) => [found.name, found]));
  const target = column.get(state.target)?.losses.length ? state.target : dataset.target;
  const suggested = target === dataset.target ? dataset.features : usual(dataset, target);
  const kept = (state.features ?? []).filter((name) => name !== target && column.get(name)?.terms.length);
  const losses = column.get(target).losses;
  const suits = losses.includes(state.loss) ? state.loss : target === dataset.target ? dataset.loss : losses[0];
  const features = kept.length ? kept : suggested;
  const width = features.reduce((count, name) => count + column.get(name).terms.length, 1);
  return {
    data: dataset.id,
    target,
    features,
    loss: suits,
    runners: state.runners,
    penalty: state.penalty,
    standardize: state.standardize,
    epochs: state.epochs,
    seed: state.seed,
    start: suits !== "softmax" && state.start?.length === width ? state.start.map((value) => [value]) : null,
    axes: state.axes?.every((axis) => axis < width) ? state.axes : null,
  };
}

/** The other columns of numbers; where there are none, those of labels. */
function usual(dataset, target) {
  const others = dataset.columns.filter((found) => found.terms.length && found.name !== target);
  const numbers = others.filter((found) => found.kind === "number");
  return (numbers.length ? numbers : others).map((found) => found.name);
}
