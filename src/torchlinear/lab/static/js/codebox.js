/* "Show me the code": two programs that do exactly this run, to be copied. */

import * as api from "./api.js";
import { $, h } from "./dom.js";
import { t } from "./i18n.js";

const KINDS = ["torch", "torchlinear"];
const WORDS = /(#.*)|("""[\s\S]*?"""|"[^"\n]*"|'[^'\n]*')|\b(import|from|as|for|in|if|else|def|return|class|with|while|and|or|not|None|True|False|print|lambda|break|assert)\b|(?<![\w.])(\d[\d_]*(?:\.\d*)?(?:e[-+]?\d+)?)/g;

export class CodeBox {
  #code = {};
  #kind = "torch";

  constructor(problem) {
    this.dialog = $("code");
    this.problem = problem;
    $("code-close").addEventListener("click", () => this.dialog.close());
    $("code-copy").addEventListener("click", () => this.#copy());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    for (const kind of KINDS) $(`tab-${kind}`).addEventListener("click", () => this.#show(kind));
    $("code-tabs").addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      this.#show(KINDS[1 - KINDS.indexOf(this.#kind)]);
      $(`tab-${this.#kind}`).focus();
    });
  }

  /** Ask for the code of a run and open the window. */
  async open(id) {
    try {
      this.#code = await api.codeOf(id);
    } catch (problem) {
      this.problem(problem);
      return;
    }
    this.#show(this.#kind);
    $("code-said").textContent = "";
    this.dialog.showModal();
  }

  #show(kind) {
    this.#kind = kind;
    for (const other of KINDS) {
      const tab = $(`tab-${other}`);
      tab.setAttribute("aria-selected", String(other === kind));
      tab.tabIndex = other === kind ? 0 : -1;
    }
    const text = $("code-text");
    text.setAttribute("aria-labelledby", `tab-${kind}`);
    text.firstElementChild.replaceChildren(...coloured(this.#code[kind]));
    text.scrollTop = 0;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#code[this.#kind]);
      $("code-said").textContent = t("code.copied");
    } catch {
      getSelection().selectAllChildren($("code-text").firstElementChild);
      $("code-said").textContent = t("code.select");
    }
  }
}

/** Python with its words, texts, notes and numbers told apart. */
function coloured(code) {
  const parts = [];
  let last = 0;
  for (const found of code.matchAll(WORDS)) {
    const [whole, comment, text, word] = found;
    parts.push(code.slice(last, found.index));
    parts.push(h("span", { class: comment ? "c" : text ? "s" : word ? "k" : "n" }, whole));
    last = found.index + whole.length;
  }
  return [...parts, code.slice(last)];
}
