/* What the charts show where there is more than they can: which feature, which class, which two coefficients. */

import * as api from "./api.js";
import { $, h } from "./dom.js";
import { t } from "./i18n.js";

export class FitChoices {
  #asked = "";

  /** `changed()` is called when other points have come, `problem(error)` when they have not. */
  constructor(store, scatter, coefs, { changed, problem }) {
    Object.assign(this, { store, scatter, coefs, changed, problem, run: null });
    $("across").addEventListener("change", () => this.#points($("across").value));
    $("class-select").addEventListener("change", () => this.#output(Number($("class-select").value)));
    for (const [id, place] of [["axis-x", 0], ["axis-y", 1]]) {
      $(id).addEventListener("change", () => this.#axis(place, Number($(id).value)));
    }
  }

  setRun(run) {
    this.run = run;
    const { names, targets } = run.meta;
    const feature = names.includes(this.scatter.points.feature) ? this.scatter.points.feature : names[0];
    fill($("across"), names.map((name) => [name, name]), feature);
    $("across-choice").hidden = names.length < 2;
    const classes = run.outputs > 1;
    if (this.scatter.output >= targets.length) this.#output(0);
    fill($("class-select"), targets.map((name, k) => [k, name]), this.scatter.output);
    $("class-choice").hidden = !classes;
    const axes = [...names, t("intercept")].map((name, j) => [j, name]);
    const [a, b] = run.meta.axes ?? [0, 1];
    fill($("axis-x"), axes, a);
    fill($("axis-y"), axes, b);
    $("axes-choice").hidden = classes || axes.length < 3;
    this.#points(feature);
  }

  /** Ask for the points of this feature and the run's target, unless they are there. */
  async #points(feature) {
    const { data, target } = this.run.spec;
    const wanted = `${data} ${target} ${feature}`;
    if (this.scatter.points.feature === feature && this.scatter.points.target === target) return;
    if (this.#asked === wanted) return;
    this.#asked = wanted;
    try {
      const points = await api.pointsOf(data, target, feature);
      if (this.#asked === wanted) this.scatter.setPoints(points);
      this.scatter.setRun(this.run);
      this.changed();
    } catch (problem) {
      this.problem(problem);
    }
    this.#asked = "";
  }

  #output(k) {
    this.scatter.output = k;
    this.coefs.output = k;
    this.coefs.refresh();
    if (!this.run) return;
    this.scatter.setRun(this.run);
    this.changed();
  }

  #axis(place, value) {
    const axes = [...(this.run.meta.axes ?? [0, 1])];
    if (axes[1 - place] === value) axes[1 - place] = axes[place];
    axes[place] = value;
    this.store.set({ axes });
  }
}

function fill(select, options, value) {
  if (document.activeElement === select) return;
  select.replaceChildren(...options.map(([key, text]) => h("option", { value: String(key), selected: key === value }, text)));
}
