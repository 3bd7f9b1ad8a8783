/* The few kinds of input the panels are made of; each has a label, a value in words and a term to explain. */

import { h } from "./dom.js";

let count = 0;
const fresh = () => `field-${++count}`;

function heading(id, label, term, output) {
  return h("div", { class: "head" }, h("label", { for: id, ...(term ? { "data-term": term } : {}) }, label), output);
}

/**
 * A slider between `min` and `max`; with `log` each step is the same factor.
 * `zero` puts an exact 0 at its left end. `change` gets the value with every movement.
 */
export function slider({ label, term, min, max, step, value, log = false, zero = false, show = String, change }) {
  const id = fresh();
  const [low, high, every] = log ? [Math.log10(min), Math.log10(max), step ?? 0.05] : [min, max, step];
  const bottom = zero ? low - every : low;
  const toPlace = (number) => (log ? (number > 0 ? Math.log10(number) : bottom) : number);
  const toValue = (place) => {
    if (!log) return place;
    return place < low - every / 2 ? 0 : Number((10 ** place).toPrecision(2));
  };
  const output = h("output", { for: id }, show(value));
  const input = h("input", { id, type: "range", min: String(bottom), max: String(high), step: String(every), "aria-valuetext": show(value) });
  input.value = String(toPlace(value));
  const say = (number) => {
    output.textContent = show(number);
    input.setAttribute("aria-valuetext", show(number));
  };
  input.addEventListener("input", () => {
    const number = toValue(Number(input.value));
    say(number);
    change(number);
  });
  const field = h("div", { class: "field" }, heading(id, label, term, output), input);
  /** Follow a value that something else has set. */
  const follow = (number) => {
    if (document.activeElement === input) return;
    input.value = String(toPlace(number));
    say(number);
  };
  return { field, input, output, follow };
}

/** A list to choose from: `options` are [value, text] or {group, options}. */
export function select({ label, term, options, value, change }) {
  const id = fresh();
  const make = ([key, text]) => h("option", { value: key, selected: key === value }, text);
  const entries = options.map((entry) => (Array.isArray(entry) ? make(entry) : h("optgroup", { label: entry.group }, ...entry.options.map(make))));
  const input = h("select", { id, onchange: () => change(input.value) }, ...entries);
  return { field: h("div", { class: "field" }, heading(id, label, term, null), input), input };
}

/** A box to tick. */
export function check({ label, term, value, change }) {
  const input = h("input", { type: "checkbox", checked: value, onchange: () => change(input.checked) });
  const field = h("label", { class: "check" }, input, h("span", term ? { "data-term": term } : {}, label));
  return { field, input };
}

/** A panel keeps its focus when it is made anew: run `make`, then focus the field in the same place. */
export function keepingFocus(root, make) {
  const before = [...root.querySelectorAll("input, select, button")];
  const place = before.indexOf(document.activeElement);
  make();
  if (place >= 0) root.querySelectorAll("input, select, button")[place]?.focus({ preventScroll: true });
}
