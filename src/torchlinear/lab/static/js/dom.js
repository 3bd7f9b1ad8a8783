/* Small helpers for the document. */

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/**
 * A new element: h("button", {type: "button", class: "primary", onclick: run}, "Run", icon).
 * Attributes whose value is null or false are left out; names that begin with "on" become listeners.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A drawing: svg({viewBox: "0 0 16 16"}, ["path", {d: "..."}]). */
export function svg(attributes, ...shapes) {
  const root = document.createElementNS(SVG, "svg");
  const fill = (element, values) => {
    for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
    return element;
  };
  fill(root, { "aria-hidden": "true", focusable: "false", ...attributes });
  for (const [tag, values] of shapes) root.append(fill(document.createElementNS(SVG, tag), values));
  return root;
}

const ICONS = {
  play: "M3 1.5v13l11-6.5z",
  pause: "M3 2h3.6v12H3zM9.4 2H13v12H9.4z",
  step: "M2 2v12l7.5-6zM11 2h3v12h-3z",
  rewind: "M14 2v12L6.5 8zM2 2h3v12H2z",
};

/** A button's face: a picture, and a word that stays for screen readers when a phone hides it. */
export function face(icon, word) {
  return [svg({ viewBox: "0 0 16 16" }, ["path", { d: ICONS[icon] }]), h("span", { class: "word" }, word)];
}

/** `run` at most once in `wait` milliseconds, after the last call. */
export function later(wait, run) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), wait);
  };
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Whether the user's system asks for little motion. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
