/* One sentence for each term: where the mouse rests or the focus stands. */

import { $, clamp } from "./dom.js";
import { knows, t } from "./i18n.js";

const WAIT = 180; // ms of rest before a tip comes

/** Watch the whole page for elements with data-term, and for fields whose label has one. */
export function watchTips() {
  const tip = $("tip");
  let timer = 0;
  let on = null;

  const hide = () => {
    clearTimeout(timer);
    tip.hidden = true;
    on?.removeAttribute("aria-describedby");
    on = null;
  };
  const show = (element, term) => {
    hide();
    if (!knows(`term.${term}`)) return;
    timer = setTimeout(() => {
      on = element;
      tip.textContent = t(`term.${term}`);
      tip.hidden = false;
      element.setAttribute("aria-describedby", "tip");
      place(tip, element);
    }, WAIT);
  };

  document.addEventListener("pointerover", (event) => {
    const element = event.target.closest?.("[data-term]");
    if (element && event.pointerType === "mouse") show(element, element.dataset.term);
  });
  document.addEventListener("pointerout", (event) => event.target.closest?.("[data-term]") && hide());
  document.addEventListener("focusin", (event) => {
    const element = event.target;
    if (!element.matches(":focus-visible")) return;
    const term = element.dataset?.term ?? element.labels?.[0]?.querySelector("[data-term]")?.dataset.term ?? element.labels?.[0]?.dataset.term;
    if (term) show(element, term);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  // A tap on a term that does nothing else explains it on a phone.
  document.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-term]");
    if (element && !event.target.closest("button, label, a")) show(element, element.dataset.term);
  });
}

function place(tip, element) {
  const box = element.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = tip;
  const below = box.bottom + 8 + height < window.innerHeight;
  tip.style.left = `${clamp(box.left, 8, Math.max(8, window.innerWidth - width - 8))}px`;
  tip.style.top = `${below ? box.bottom + 8 : Math.max(8, box.top - height - 8)}px`;
}
