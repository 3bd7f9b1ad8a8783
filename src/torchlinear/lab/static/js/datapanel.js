/* Where the data come from: the tutorial's line, the maker, built-in sets, a file, the user's own hand. */

import { h } from "./dom.js";
import { keepingFocus, select, slider } from "./fields.js";
import { number } from "./format.js";
import { t, together } from "./i18n.js";

export const MADE = { n: 50, features: 1, slope: 3, intercept: 0.8, noise: 0.2, outliers: 0, collinearity: 0, scale: 1, seed: 0 };

const SEPARABLE = ["iris", "wine", "breast_cancer"]; // classes without overlap: without a ridge there is no optimum

const SLIDERS = {
  n: { min: 10, max: 10000, log: true, step: 0.05 },
  features: { min: 1, max: 10, step: 1 },
  slope: { min: -5, max: 5, step: 0.1 },
  noise: { min: 0, max: 3, step: 0.05 },
  outliers: { min: 0, max: 0.4, step: 0.02 },
  collinearity: { min: 0, max: 0.99, step: 0.01 },
  scale: { min: 0.01, max: 100, log: true, step: 0.1 },
};

export class DataPanel {
  dataset = null;
  builtin = [];
  #kind = "";

  /** `take(file)` sends a file; `store` holds the choice. */
  constructor(root, store, take) {
    Object.assign(this, { root, store, take });
    this.#acceptDrops();
  }

  setDataset(dataset) {
    this.dataset = dataset;
    this.render();
  }

  /** Draw again; sliders that are there already stay, so that a hand on one does not lose it. */
  render() {
    const { data } = this.store.get();
    const kind = `${data.kind}:${data.name ?? ""}:${data.kind === "maker" && (data.features ?? 1) > 1}:${document.documentElement.lang}`;
    if (kind !== this.#kind) {
      this.#kind = kind;
      keepingFocus(this.root, () => this.root.replaceChildren(this.#source(data), ...this.#maker(data), this.#drop(), this.#facts));
    }
    this.#tell();
  }

  #facts = h("p", { class: "facts" });

  #tell() {
    const { dataset } = this;
    if (!dataset) return;
    const missing = dataset.columns.reduce((sum, column) => sum + (column.missing ?? 0), 0);
    const parts = [t("data.facts", { name: title(dataset), rows: dataset.rows.toLocaleString("en-US"), columns: dataset.columns.length })];
    if (missing) parts.push(t("data.missing", { count: missing }));
    this.#facts.textContent = together(parts);
  }

  #source(data) {
    const sets = this.builtin.map(({ name, rows }) => [`builtin:${name}`, `${t(`builtin.${name}`)} (${rows})`]);
    const options = [
      ["tutorial", t("data.tutorial")],
      ["maker", t("data.maker")],
      { group: t("data.builtin"), options: sets },
    ];
    if (data.kind === "points") options.push(["points", t("data.points")]);
    if (data.kind === "file") options.push(["file", data.name ?? t("data.file")]);
    const value = data.kind === "builtin" ? `builtin:${data.name}` : data.kind;
    return select({ label: t("data.source"), options, value, change: (choice) => this.#choose(choice) }).field;
  }

  #choose(choice) {
    const [kind, name] = choice.split(":");
    if (["points", "file"].includes(kind)) return;
    const data = kind === "builtin" ? { kind, name } : { kind };
    const penalty = SEPARABLE.includes(name) ? { kind: "l2", strength: 0.01 } : { kind: "none", strength: 0 };
    this.store.set({ data, penalty, target: null, features: null, start: null, axes: null });
  }

  #maker(data) {
    if (data.kind !== "maker") return [];
    const many = (data.features ?? 1) > 1;
    return Object.entries(SLIDERS)
      .filter(([key]) => key !== "collinearity" || many)
      .map(([key, range]) => {
        const show = key === "outliers" ? (value) => `${Math.round(100 * value)} %` : (value) => number(value);
        const label = key === "scale" && many ? t("maker.scale_last") : t(`maker.${key}`);
        return slider({ label, term: `maker.${key}`, ...range, value: data[key] ?? MADE[key], show, change: (value) => this.#make(key, value) }).field;
      });
  }

  #make(key, value) {
    const { data } = this.store.get();
    const made = { ...data, [key]: key === "n" ? Math.round(value) : value };
    if (made[key] === MADE[key]) delete made[key];
    this.store.set({ data: made, ...(key === "features" ? { features: null, start: null, axes: null } : {}) });
  }

  #drop() {
    const input = h("input", { type: "file", accept: ".csv,.tsv,.txt,.parquet", class: "hidden", id: "file" });
    input.addEventListener("change", () => input.files[0] && this.take(input.files[0]));
    return h("label", { class: "drop" }, input, h("span", {}, t("data.drop"), " ", h("u", {}, t("data.choose"))));
  }

  /** A file may be dropped anywhere on the page. */
  #acceptDrops() {
    let depth = 0;
    const show = (over) => this.root.querySelector(".drop")?.classList.toggle("over", over);
    const files = (event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragenter", (event) => files(event) && show(++depth > 0));
    document.addEventListener("dragleave", (event) => files(event) && show(--depth > 0));
    document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
    document.addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      show(Boolean((depth = 0)));
      if (event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
    });
  }
}

/** The name of a data set in the user's language. */
function title(dataset) {
  if (dataset.kind === "file") return dataset.name;
  return dataset.kind === "builtin" ? t(`builtin.${dataset.name.replaceAll(" ", "_")}`) : t(`data.${dataset.kind}`);
}
