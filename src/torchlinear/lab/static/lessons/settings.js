/* What every step of the lessons runs. The words are in en.json and zh.json, in the same order. */

import { runnerOf } from "../js/state.js";

const line = { kind: "maker", noise: 0.2 };
const noisy = { kind: "maker", n: 200, noise: 0.5 };
const quiet = { kind: "maker", n: 200, noise: 0 };
const three = (lr, batch = 10) => [runnerOf("bgd", { lr }), runnerOf("sgd", { lr }), runnerOf("mbgd", { lr, batch_size: batch })];
const pair = (more = {}) => ({ kind: "maker", n: 100, features: 2, noise: 0.2, ...more });
const plain = [runnerOf("bgd")];
const rivals = ["bgd", "adagrad", "adam"].map((solver) => runnerOf(solver));
const bgd = (lr) => [runnerOf("bgd", { lr })];

export const LESSONS = [
  {
    tasks: [
      { state: { data: line, runners: bgd(0.1), epochs: 200 }, rest: true },
      { state: { data: line, runners: bgd(0.2), epochs: 200 }, rest: true },
      { state: { data: line, runners: bgd(0.1), epochs: 300, start: [-1, 3] } },
      { state: { data: line, runners: [runnerOf("bgd", { lr: 0.1 }), runnerOf("newton")], epochs: 300 } },
    ],
  },
  {
    tasks: [
      { state: { runners: bgd(0.02), epochs: 300 } },
      { state: { runners: bgd(0.4), epochs: 300 } },
      { state: { runners: bgd(0.75), epochs: 300 } },
      { state: { runners: bgd(0.85), epochs: 300 } },
      { state: { runners: plain, epochs: 300 } },
    ],
  },
  {
    tasks: [
      { state: { data: noisy, runners: three(0.05), epochs: 300 } },
      { state: { data: noisy, runners: three(0.005), epochs: 300 } },
      { state: { data: noisy, runners: three(0.05, 50), epochs: 300 } },
      { state: { data: quiet, runners: three(0.05), epochs: 300 } },
    ],
  },
  {
    tasks: [
      { state: { data: pair(), runners: plain, epochs: 1000 } },
      { state: { data: pair({ scale: 20 }), runners: plain, epochs: 1000 } },
      { state: { data: pair({ scale: 20 }), runners: plain, epochs: 1000, standardize: true } },
      { state: { data: pair({ collinearity: 0.98 }), runners: plain, epochs: 1000, standardize: true, start: [4, -4, 0] } },
      { state: { data: pair({ scale: 20, collinearity: 0.98 }), runners: [...plain, runnerOf("newton")], epochs: 1000, start: [6, 0, 0.8] } },
    ],
  },
  {
    tasks: [
      { state: { data: pair(), runners: rivals, epochs: 1000, standardize: true } },
      { state: { data: pair({ scale: 20 }), runners: rivals, epochs: 3000 } },
      { state: { data: pair({ scale: 20 }), runners: [runnerOf("adagrad", { lr: 0.1 }), runnerOf("adam", { lr: 0.1 })], epochs: 3000 } },
      { state: { data: { kind: "builtin", name: "diabetes" }, runners: rivals, epochs: 3000, standardize: true } },
    ],
  },
];
