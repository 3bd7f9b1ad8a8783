/* The five lessons: a page each, whose every step is a run of the real thing. */

import { h } from "./dom.js";
import { language, t } from "./i18n.js";
import { LESSONS } from "../lessons/settings.js";
import { DEFAULTS, encode } from "./state.js";

const KEPT = ["lang", "theme", "speed", "by"]; // what a lesson leaves as the user has it

/** The state in which step `task` of a lesson begins. */
export function stateOf(lesson, task, state) {
  const kept = Object.fromEntries(KEPT.map((key) => [key, state[key]]));
  return { ...DEFAULTS, ...kept, ...LESSONS[lesson - 1].tasks[task].state, lesson, task };
}

export class Lessons {
  texts = null;
  #language = null;

  /** `go(lesson, task)` opens a lesson (0: none) at one of its steps. */
  constructor(nav, page, go) {
    Object.assign(this, { nav, page, go });
  }

  async render(state) {
    if (this.#language !== language()) {
      const wanted = language();
      const answer = await fetch(`./static/lessons/${wanted}.json`);
      this.texts = await answer.json();
      this.#language = wanted;
    }
    this.#links(state);
    this.page.hidden = state.lesson === 0;
    if (state.lesson) this.page.replaceChildren(...this.#lesson(this.texts[state.lesson - 1], state));
    document.title = state.lesson ? `${this.texts[state.lesson - 1].title} · torchlinear lab` : "torchlinear lab";
  }

  #links(state) {
    const address = (lesson) => `#${encode({ ...DEFAULTS, lesson, lang: state.lang, theme: state.theme })}`;
    const link = (lesson, ...words) => {
      const current = state.lesson === lesson ? "page" : null;
      const click = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.go(lesson, 0);
      };
      return h("a", { href: address(lesson), "aria-current": current, onclick: click }, ...words);
    };
    const lessons = this.texts.map((text, i) => link(i + 1, h("b", {}, String(i + 1)), text.short));
    this.nav.replaceChildren(link(0, t("nav.lab")), ...lessons);
    const current = this.nav.querySelector("[aria-current]");
    this.nav.scrollLeft = Math.max(0, current.offsetLeft - this.nav.offsetLeft - 60);
  }

  #lesson(text, state) {
    const { lesson } = state;
    const tasks = text.tasks.map((task, i) => this.#task(task, i, state));
    const on = lesson < this.texts.length ? [lesson + 1, t("lesson.next")] : [0, t("lesson.done")];
    return [
      h("p", { class: "eyebrow" }, t("lesson.count", { i: lesson, count: this.texts.length })),
      h("h2", { tabindex: "-1" }, text.title),
      ...text.intro.map((words) => h("p", {}, words)),
      text.formula ? h("p", { class: "formula", tabindex: "0", role: "math", "aria-label": text.spoken }, text.formula) : null,
      h("ol", {}, ...tasks),
      h("p", { class: "takeaway" }, text.takeaway),
      h("div", { class: "go" },
        h("button", { type: "button", onclick: () => this.go(lesson - 1, 0) }, t(lesson > 1 ? "lesson.back" : "lesson.leave")),
        h("button", { type: "button", class: "primary", onclick: () => this.go(on[0], 0) }, on[1])),
    ].filter(Boolean);
  }

  #task(task, i, state) {
    const current = i === state.task;
    const seen = i <= state.task;
    return h("li", { "aria-current": current ? "step" : null },
      h("p", {}, task.say),
      h("button", { type: "button", class: i === state.task + 1 ? "primary" : null, onclick: () => this.go(state.lesson, i) }, t(current ? "lesson.again" : "lesson.try")),
      seen ? h("p", { class: "see" }, task.see) : null);
  }

  /** Where the eyes of a reader who came by keyboard should be. */
  focus() {
    this.page.querySelector("h2")?.focus({ preventScroll: false });
  }
}

/** Whether a step begins at rest, to be stepped through by hand. */
export const beginsAtRest = (state) => state.lesson > 0 && LESSONS[state.lesson - 1].tasks[state.task]?.rest === true;
