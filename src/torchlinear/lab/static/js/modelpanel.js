/* What is fitted: target, features, loss, penalty, scaling, and for how long. */

import { h } from "./dom.js";
import { check, keepingFocus, select, slider } from "./fields.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { choose } from "./session.js";

const MANY = 40; // features that are offered one by one

export class ModelPanel {
  dataset = null;
  #drawn = "";

  constructor(root, store) {
    Object.assign(this, { root, store });
  }

  setDataset(dataset) {
    this.dataset = dataset;
    this.render();
  }

  /** Draw again unless nothing but a slider's value has changed. */
  render() {
    if (!this.dataset) return;
    const state = this.store.get();
    const chosen = choose(state, this.dataset);
    const names = this.dataset.columns.map((column) => column.name);
    const drawn = JSON.stringify([names, chosen.target, chosen.features, chosen.loss, state.penalty.kind, state.standardize, document.documentElement.lang]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      keepingFocus(this.root, () => this.root.replaceChildren(...this.#fields(state, chosen)));
      return;
    }
    this.strength?.follow(state.penalty.strength);
    this.epochs?.follow(state.epochs);
  }

  #fields(state, chosen) {
    const targets = this.dataset.columns.filter((column) => column.losses.length);
    const losses = targets.find((column) => column.name === chosen.target).losses;
    const fields = [];
    if (targets.length > 1) {
      fields.push(select({
        label: t("model.target"), term: "target", options: targets.map(({ name }) => [name, name]), value: chosen.target,
        change: (target) => this.store.set({ target, features: null, start: null, axes: null }),
      }).field);
    }
    const features = this.#features(chosen);
    if (features) fields.push(features);
    const loss = select({
      label: t("model.loss"), term: "loss", options: losses.map((name) => [name, t(`loss.${name}`)]), value: chosen.loss,
      change: (name) => this.store.set({ loss: name, start: null }),
    }).field;
    const [penalty, ...strength] = this.#penalty(state);
    fields.push(h("div", { class: "two" }, loss, penalty), ...strength);
    fields.push(check({
      label: t("model.standardize"), term: "standardize", value: state.standardize,
      change: (standardize) => this.store.set({ standardize, start: null }),
    }).field);
    this.epochs = slider({
      label: t("model.epochs"), term: "epochs", min: 1, max: 30000, log: true, step: 0.1, value: state.epochs, show: (value) => number(value),
      change: (epochs) => this.store.set({ epochs: Math.round(epochs) }),
    });
    fields.push(this.epochs.field, this.#seed());
    return fields;
  }

  #features(chosen) {
    const usable = this.dataset.columns.filter((column) => column.terms.length && column.name !== chosen.target).slice(0, MANY);
    if (usable.length < 2) return null;
    const boxes = usable.map(({ name }) => {
      const input = h("input", { type: "checkbox", checked: chosen.features.includes(name), value: name });
      input.addEventListener("change", () => {
        const features = usable.map((column) => column.name).filter((other) => (other === name ? input.checked : chosen.features.includes(other)));
        if (features.length) this.store.set({ features, start: null, axes: null });
        else input.checked = true;
      });
      return h("label", {}, input, name);
    });
    return h("fieldset", { class: "field" }, h("legend", {}, h("span", { "data-term": "features" }, t("model.features"))), h("div", { class: "features" }, ...boxes));
  }

  #penalty(state) {
    const { kind, strength } = state.penalty;
    const choice = select({
      label: t("model.penalty"), term: "penalty", options: ["none", "l1", "l2"].map((name) => [name, t(`penalty.${name}`)]), value: kind,
      change: (name) => this.store.set({ penalty: { kind: name, strength: name === "none" ? 0 : strength || 0.1 } }),
    });
    if (kind === "none") return [choice.field];
    this.strength = slider({
      label: t("model.strength"), term: kind, min: 1e-4, max: 100, log: true, zero: true, value: strength, show: (value) => number(value),
      change: (value) => this.store.set({ penalty: { kind, strength: value } }),
    });
    return [choice.field, this.strength.field];
  }

  #seed() {
    const again = () => this.store.set({ seed: this.store.get().seed + 1 });
    return h("button", { type: "button", onclick: again, "data-term": "seed" }, t("model.again"));
  }
}
