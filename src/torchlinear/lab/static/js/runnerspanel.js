/* Who runs: a box for each algorithm, its learning rate, and behind "more" its batch size and momentum. */

import { h } from "./dom.js";
import { keepingFocus, slider } from "./fields.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { nameOf, swatch } from "./palette.js";
import { runnerOf } from "./state.js";

const OFFERED = [
  { name: "bgd", lr: true, momentum: true },
  { name: "sgd", lr: true, momentum: true },
  { name: "mbgd", lr: true, momentum: true, batch: "some" },
  { name: "adagrad", lr: true },
  { name: "rmsprop", lr: true },
  { name: "adam", lr: true },
  { name: "lbfgs" },
  { name: "newton" },
];

export class RunnersPanel {
  #drawn = "";
  #open = new Set();
  #rates = new Map();

  constructor(root, store) {
    Object.assign(this, { root, store });
  }

  /** Show the learning rates that the server chose where the user chose none. */
  setRun(run) {
    this.chosen = new Map([...run.tracks.values()].map((track) => [track.solver, track.lr]));
    this.#tell();
  }

  render() {
    const { runners } = this.store.get();
    const shape = runners.map((runner) => [runner.solver, runner.lr === null]);
    const drawn = JSON.stringify([shape, [...this.#open], document.documentElement.lang]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#rates.clear();
      keepingFocus(this.root, () => this.root.replaceChildren(...OFFERED.map((solver) => this.#runner(solver))));
    }
    this.#tell();
  }

  #find(name) {
    return this.store.get().runners.find((runner) => runner.solver === name);
  }

  #change(name, patch) {
    const runners = this.store.get().runners.map((runner) => (runner.solver === name ? { ...runner, ...patch } : runner));
    this.store.set({ runners });
  }

  #toggle(name, on) {
    const { runners } = this.store.get();
    const kept = runners.filter((runner) => runner.solver !== name);
    if (!on && !kept.length) return false;
    const wanted = on ? [...kept, runnerOf(name)] : kept;
    const order = OFFERED.map((solver) => solver.name);
    this.store.set({ runners: wanted.sort((a, b) => order.indexOf(a.solver) - order.indexOf(b.solver)) });
    return true;
  }

  #runner(solver) {
    const { name } = solver;
    const runner = this.#find(name);
    const box = h("input", { type: "checkbox", checked: Boolean(runner), "aria-label": nameOf(name) });
    box.addEventListener("change", () => {
      if (!this.#toggle(name, box.checked)) box.checked = true;
    });
    const extras = runner && (solver.batch || solver.momentum);
    const open = this.#open.has(name);
    const more = extras && h("button", {
      type: "button", class: "more quiet", "aria-expanded": String(open), "aria-label": t("runners.more_of", { name: nameOf(name) }),
      onclick: () => {
        this.#open[open ? "delete" : "add"](name);
        this.render();
      },
    }, t(open ? "runners.less" : "runners.more"));
    const head = h("div", { class: "check" }, box, swatch(name), h("span", { class: "name", "data-term": name, tabindex: "0" }, nameOf(name)), more || null);
    return h("div", { class: "runner" }, head, runner && solver.lr ? this.#rate(name, runner) : null, extras && open ? this.#extra(solver, runner) : null);
  }

  #rate(name, runner) {
    const auto = h("input", { type: "checkbox", checked: runner.lr === null });
    auto.addEventListener("change", () => this.#change(name, { lr: auto.checked ? null : this.#sensible(name) }));
    const value = runner.lr ?? this.#sensible(name);
    const { input, output, follow } = slider({
      label: "", min: Math.min(1e-4, value / 100), max: Math.max(100, 10 * value), log: true, step: 0.02, value, show: (rate) => number(rate),
      change: (lr) => this.#change(name, { lr }),
    });
    input.setAttribute("aria-label", t("runners.rate_of", { name: nameOf(name) }));
    input.disabled = runner.lr === null;
    this.#rates.set(name, { output, follow });
    return h("div", { class: "rate" }, h("label", { class: "check" }, auto, h("span", { "data-term": "lr" }, t("runners.auto"))), input, output);
  }

  #sensible(name) {
    const rate = this.chosen?.get(name) ?? 0.1;
    return Number(rate.toPrecision(2));
  }

  #extra(solver, runner) {
    const parts = [];
    if (solver.batch) {
      parts.push(slider({
        label: t("runners.batch"), term: "batch", min: 1, max: 1024, log: true, step: 0.05, value: runner.batch_size ?? 10, show: (value) => number(Math.round(value), 4),
        change: (size) => this.#change(solver.name, { batch_size: Math.max(1, Math.round(size)) }),
      }).field);
    }
    if (solver.momentum) {
      parts.push(slider({
        label: t("runners.momentum"), term: "momentum", min: 0, max: 0.99, step: 0.01, value: runner.momentum, show: (value) => number(value),
        change: (momentum) => this.#change(solver.name, { momentum }),
      }).field);
    }
    return h("div", { class: "extra" }, ...parts);
  }

  #tell() {
    for (const [name, { output, follow }] of this.#rates) {
      const rate = this.#find(name)?.lr;
      const shown = rate ?? this.chosen?.get(name) ?? null;
      if (shown !== null) follow(shown);
      else output.textContent = "–";
    }
  }
}
