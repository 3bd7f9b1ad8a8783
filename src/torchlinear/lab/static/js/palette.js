/* How a runner looks: a colour, a dash and a shape, so that no one has to tell runners apart by colour alone. */

import { svg } from "./dom.js";

/* Shapes are drawn in a square from -1 to 1. */
const SHAPES = {
  disc: "M-.85 0a.85.85 0 1 0 1.7 0a.85.85 0 1 0-1.7 0z",
  square: "M-.8-.8h1.6v1.6h-1.6z",
  up: "M0-1 1 .8-1 .8z",
  down: "M0 1-1-.8 1-.8z",
  diamond: "M0-1.1.95 0 0 1.1-.95 0z",
  cross: "M-.9-.45l.45-.45.45.45.45-.45.45.45-.45.45.45.45-.45.45-.45-.45-.45.45-.45-.45.45-.45z",
  plus: "M-.35-1h.7v.65h.65v.7h-.65v.65h-.7v-.65h-.65v-.7h.65z",
  pill: "M-1-.45h2v.9h-2z",
  star: "M0-1.15.3-.36 1.1-.36.47.15.7 1 0 .48-.7 1-.47.15-1.1-.36-.3-.36z",
};

const LOOKS = {
  bgd: ["disc", []],
  sgd: ["up", [2, 3]],
  mbgd: ["square", [7, 3]],
  momentum: ["pill", [12, 3]],
  adagrad: ["diamond", [9, 3, 2, 3]],
  rmsprop: ["down", [4, 2]],
  adam: ["cross", []],
  lbfgs: ["plus", [6, 2, 2, 2, 2, 2]],
  newton: ["down", [12, 4]],
  exact: ["star", [3, 3]],
};

const NAMES = {
  bgd: "BGD", sgd: "SGD", mbgd: "MBGD", momentum: "Momentum", adagrad: "AdaGrad", rmsprop: "RMSProp",
  adam: "Adam", lbfgs: "L-BFGS", newton: "Newton",
}; // prettier-ignore

/** The name of the algorithm, as papers write it. */
export const nameOf = (solver) => NAMES[solver] ?? solver;

const resolved = new Map();

/** A colour of the style sheet as the canvas needs it: resolved for the light or the dark page. */
export function colour(name) {
  if (!resolved.has(name)) {
    const probe = document.createElement("span");
    probe.hidden = true;
    probe.style.color = `var(--${name}, var(--soft))`;
    document.body.append(probe);
    resolved.set(name, getComputedStyle(probe).color);
    probe.remove();
  }
  return resolved.get(name);
}

/** To be called when the page turns light or dark. */
export const forgetColours = () => resolved.clear();

export function lookOf(solver) {
  const [shape, dash] = LOOKS[solver] ?? ["pill", []];
  return { shape, dash, colour: colour(solver) };
}

const paths = new Map();

/** Draw a shape on a canvas, with a rim in the colour of the ground so that it stands out on any line. */
export function mark(context, shape, x, y, size, fill, rim) {
  if (!paths.has(shape)) paths.set(shape, new Path2D(SHAPES[shape]));
  context.save();
  context.translate(x, y);
  context.scale(size, size);
  context.lineJoin = "round";
  context.lineWidth = 3.2 / size;
  context.strokeStyle = rim;
  context.stroke(paths.get(shape));
  context.fillStyle = fill;
  context.fill(paths.get(shape));
  context.restore();
}

/** The picture of a runner for lists and tables; it follows the page from light to dark. */
export function swatch(solver) {
  const [shape, dash] = LOOKS[solver] ?? ["pill", []];
  const line = { d: "M-3.4 0H3.4", "stroke-width": 0.5, "stroke-dasharray": dash.map((v) => v / 5).join(" ") };
  const box = { viewBox: "-3.4 -1.5 6.8 3", width: 34, height: 15, class: "swatch" };
  const picture = svg(box, ["path", line], ["path", { d: SHAPES[shape] }]);
  picture.firstChild.style.stroke = `var(--${solver})`;
  picture.lastChild.style.fill = `var(--${solver})`;
  return picture;
}
