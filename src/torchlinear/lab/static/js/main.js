/* The page: makes the parts and tells each what has changed. */

import * as api from "./api.js";
import { bareLesson, watchAddress, write } from "./address.js";
import { CodeBox } from "./codebox.js";
import { Coefs } from "./coefs.js";
import { Contour } from "./contour.js";
import { DataPanel } from "./datapanel.js";
import { $, calm, later } from "./dom.js";
import { Editing } from "./editing.js";
import { FitChoices } from "./choices.js";
import { GapChart } from "./gapchart.js";
import { language, preferred, speak, t, told } from "./i18n.js";
import { Lessons, beginsAtRest, stateOf } from "./lessons.js";
import { ModelPanel } from "./modelpanel.js";
import { Player } from "./player.js";
import { dress, labelLanguage, watchPrefs } from "./prefs.js";
import { RunnersPanel } from "./runnerspanel.js";
import { Scatter } from "./scatter.js";
import { Session, fileSpec } from "./session.js";
import { Standings, linkReport } from "./standings.js";
import { Store, decode } from "./state.js";
import { watchTips } from "./tips.js";
import { label as labelTransport, watchTransport } from "./transport.js";

const OF_RUN = ["data", "target", "features", "loss", "runners", "penalty", "standardize", "epochs", "seed", "start", "axes"];
const OF_SLIDERS = ["data", "penalty", "axes"]; // after these the clock stays where it is
const REST = 140; // ms without a change before a run

const store = new Store(decode(location.hash));
const player = new Player();
const scatter = new Scatter($("fit"), $("fit-note"), player);
const contour = new Contour($("map"), $("map-note"), player, (start) => store.set({ start }));
const gap = new GapChart($("gap"), $("gap-note"), player);
const coefs = new Coefs($("coefs"), $("coefs-note"), player);
const standings = new Standings($("standings"), $("why"), player);
const code = new CodeBox(problem);
const dataPanel = new DataPanel($("data-panel"), store, take);
const modelPanel = new ModelPanel($("model-panel"), store);
const runnersPanel = new RunnersPanel($("runners-panel"), store);
const lessons = new Lessons($("lesson-nav"), $("lesson"), go);
const choices = new FitChoices(store, scatter, coefs, { problem, changed: describe });
const session = new Session(hear);
const editing = new Editing(scatter, { changed: pointsChanged, say });
let begun = false; // whether the first run has been asked for
let following = false; // whether a change comes from the address, which is then written already
let wrong = null; // the problem that was shown last
let byHand = false; // whether the data set that comes was made by moving points

const refresh = later(REST, (how) => session.refresh(store.get(), how));
const grow = later(60, () => gap.grown());

/* What the server says */

function hear(kind, value) {
  if (kind === "problem") problem(value);
  else if (kind === "dataset") showDataset(value);
  else if (kind === "waiting") $("waiting").hidden = !value;
  else news(value);
}

function showDataset(dataset) {
  dataPanel.setDataset(dataset);
  modelPanel.setDataset(dataset);
  if (!byHand) scatter.setPoints({ feature: dataset.features[0], target: dataset.target, ...dataset.points }, { fit: true });
  byHand = false;
}

function news({ run, kind, how }) {
  const shown = player.run === run;
  if (kind === "start" && !how.keep) adopt(run, how);
  else if (kind === "end" && !shown) adopt(run, how);
  else if (shown && kind === "frames") {
    player.grown({ follow: calm() });
    grow();
  } else if (shown && kind === "contour") contour.setRun(run);
  if (kind === "end") ended(run);
  if (kind === "failed") document.body.dataset.run = "failed";
}

/** Show this run from now on. */
function adopt(run, { keep = false, rest = false }) {
  $("problem").hidden = true;
  document.body.dataset.run = "running";
  player.show(run, { keep });
  for (const view of [scatter, contour, gap, coefs, standings, runnersPanel]) view.setRun(run);
  choices.setRun(run);
  describe();
  linkReport(null);
  if (rest) player.pause();
  else if (!keep && !calm()) player.play();
}

function ended(run) {
  if (calm()) player.seek(player.last);
  player.draw();
  gap.grown();
  coefs.refresh();
  standings.render();
  describe();
  linkReport(api.reportAddress(run.id, language()));
  say(standings.sentence());
  document.body.dataset.run = "done";
}

/** Notes and labels of the charts. */
function describe() {
  const run = player.run;
  const editable = Boolean(session.dataset?.editable) && run?.meta?.names.length === 1 && !scatter.probability;
  editing.enabled = editable;
  scatter.describe(editable);
  contour.describe();
  gap.describe();
  $("fit").setAttribute("aria-label", `${scatter.label()} ${editable ? t("edit.keys") : ""}`);
  $("map").setAttribute("aria-label", contour.label());
  $("coefs").setAttribute("aria-label", coefs.label());
  $("gap").setAttribute("aria-label", gap.label());
}

function problem(error) {
  wrong = error;
  const own = error.status === 0 ? "problem.gone" : error.message === "file" ? "problem.file" : error.message ? null : "problem.unknown";
  $("problem").querySelector("p").textContent = own ? t(own) : told(error.both ?? { en: error.message });
  $("remedy").hidden = !error.message.includes("add a ridge");
  $("problem").hidden = false;
  if (narrow()) $("problem").scrollIntoView({ block: "center" }); // the panels lie above it
}

function say(words) {
  $("status").textContent = words;
}

/* What the user does */

function pointsChanged(points) {
  byHand = true;
  store.set({ data: { kind: "points", x: points.x, y: points.y } });
}

async function take(file) {
  say(t("said.reading", { name: file.name }));
  try {
    const dataset = await session.take(file);
    store.set({ data: fileSpec(dataset), target: null, features: null, start: null, axes: null, loss: dataset.loss });
  } catch (error) {
    problem(error);
  }
}

/** Open a lesson at one of its steps; lesson 0 is the lab itself. */
async function go(lesson, task) {
  const before = store.get();
  const state = lesson ? stateOf(lesson, task, before) : { lesson: 0, task: 0 };
  store.set(state);
  if (lesson !== before.lesson) {
    fold(lesson > 0);
    await lessons.render(store.get());
    if (lesson) lessons.focus();
  } else if (task === before.task) replay();
  if (lesson === before.lesson && narrow()) $("card-fit").scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
}

function replay() {
  player.pause();
  player.seek(-1);
  if (!beginsAtRest(store.get()) && !calm()) player.play();
}

/** The panels at the side are closed while a lesson is read, and on a phone. */
function fold(closed) {
  for (const panel of ["panel-data", "panel-model", "panel-runners"]) $(panel).open = !closed;
}

const narrow = () => matchMedia("(max-width: 900px)").matches;

store.on(async (keys, state) => {
  write(state, { entry: keys.has("lesson") && !following });
  if (keys.has("speed")) player.speed = state.speed;
  if (keys.has("by")) {
    player.setClock(state.by);
    gap.rebuild();
  }
  if (keys.has("theme")) redress();
  if (keys.has("lang")) await translateAll();
  const changed = OF_RUN.filter((key) => keys.has(key));
  if (changed.length && begun) {
    const keep = changed.every((key) => OF_SLIDERS.includes(key)) && !keys.has("task") && !keys.has("lesson");
    const how = { keep, rest: beginsAtRest(state) && (keys.has("task") || keys.has("lesson")) };
    if (byHand) session.refresh(state, how);
    else refresh(how);
  }
  for (const panel of [dataPanel, modelPanel, runnersPanel]) panel.render();
  if (keys.has("task") && !keys.has("lesson")) lessons.render(state);
});

function redress() {
  dress(store.get().theme);
  gap.rebuild();
  contour.refresh();
}

async function translateAll() {
  await speak(preferred(store.get().lang));
  labelLanguage(language());
  labelTransport(player);
  await lessons.render(store.get());
  for (const panel of [dataPanel, modelPanel, runnersPanel]) panel.render();
  if (!$("problem").hidden) problem(wrong);
  if (!player.run) return;
  coefs.refresh();
  gap.rebuild();
  standings.render();
  choices.setRun(player.run);
  describe();
  if (player.run.end) linkReport(api.reportAddress(player.run.id, language()));
}

async function begin() {
  dress(store.get().theme);
  const known = await api.session().catch(() => ({ builtin: [], language: null, data: null }));
  if (known.language && !store.get().lang) store.set({ lang: known.language });
  dataPanel.builtin = known.builtin;
  player.speed = store.get().speed;
  player.by = store.get().by;
  [$("speed").value, $("by").value] = [String(player.speed), player.by];
  if (bareLesson(location.hash)) store.set(stateOf(store.get().lesson, store.get().task, store.get()));
  fold(store.get().lesson > 0 || narrow());
  await translateAll();
  watchTransport(player, store);
  watchPrefs(store, language, redress);
  watchTips();
  watchAddress((state, fragment) => {
    following = true;
    store.set(bareLesson(fragment) ? stateOf(state.lesson, state.task, state) : state);
    following = false;
    lessons.render(store.get());
  });
  $("problem-close").addEventListener("click", () => ($("problem").hidden = true));
  $("remedy").addEventListener("click", () => store.set({ penalty: { kind: "l2", strength: 0.01 } }));
  $("show-code").addEventListener("click", () => player.run && code.open(player.run.id));
  $("copy-link").addEventListener("click", () => copyLink());
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
  if (known.data && store.get().data.kind === "tutorial") {
    session.adopt(known.data);
    store.set({ data: fileSpec(known.data), loss: known.data.loss });
  }
  begun = true;
  refresh({ keep: false, rest: beginsAtRest(store.get()) });
  document.body.dataset.ready = "true";
}

async function copyLink() {
  const file = store.get().data.kind === "file";
  await navigator.clipboard?.writeText(location.href).catch(() => {});
  say(t(file ? "link.file" : "link.copied"));
  $("copy-link").textContent = t("link.done");
  setTimeout(() => ($("copy-link").textContent = t("link.copy")), 1600);
}

begin();
