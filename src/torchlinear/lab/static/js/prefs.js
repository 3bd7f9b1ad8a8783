/* Language and light or dark: the browser's and the system's, unless the user chose. */

import { $ } from "./dom.js";
import { forgetColours } from "./palette.js";
import { t } from "./i18n.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Set the page light or dark as the state says. */
export function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  forgetColours();
}

/** Whether the page is dark now. */
const isDark = (theme) => (theme ? theme === "dark" : dark.matches);

/** Buttons for both; `redress` is called whenever the colours have changed. */
export function watchPrefs(store, language, redress) {
  $("theme").addEventListener("click", () => {
    const wanted = isDark(store.get().theme) ? "light" : "dark";
    store.set({ theme: wanted === (dark.matches ? "dark" : "light") ? null : wanted });
  });
  dark.addEventListener("change", () => {
    forgetColours();
    redress();
  });
  $("language").addEventListener("click", () => store.set({ lang: language() === "zh" ? "en" : "zh" }));
}

/** The language button offers the other one. */
export function labelLanguage(language) {
  const other = language === "zh" ? "en" : "zh";
  $("language").textContent = t("language.other");
  $("language").lang = other;
}
