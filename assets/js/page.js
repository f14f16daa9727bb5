// What the page itself needs in the browser, beside its elements: run once when it has loaded.

import { followAddress } from "./page/address.js";
import { listenCode } from "./page/code.js";
import { followClock } from "./page/coefficients.js";
import { mendInputs } from "./page/inputs.js";
import { on, toTop } from "./page/on.js";

/** The browser's memory, where it lends one. @template T @param {(store: Storage) => T} act @returns {T | null} */
function remembered(act) {
  try {
    return act(localStorage);
  } catch {
    return null;
  }
}

// The theme that was chosen last, unless the address asks for one.
const chosen = remembered((store) => store.getItem("fm-theme"));
if (chosen && !/[?&]__theme=/.test(location.search)) document.body.classList.toggle("dark", chosen === "dark");
on("[data-fm=theme]", () => {
  const dark = document.body.classList.toggle("dark");
  remembered((store) => store.setItem("fm-theme", dark ? "dark" : "light"));
});

// Asked again until the strip is there: it may come after the bar.
const lessons = () => {
  if (window.dispatchEvent(new CustomEvent("fm-lessons", { cancelable: true }))) setTimeout(lessons, 100);
};
on("[data-fm=lessons]", lessons);

// A button in a text that takes a choice for the reader.
on("[data-fm=choose]", (button) => /** @type {HTMLElement | null} */ (document.querySelector(button.dataset.choice ?? ""))?.click());
on("[data-fm=fold]", (button) => {
  const open = document.querySelector("#experiment")?.classList.toggle("fm-open") ?? false;
  button.setAttribute("aria-expanded", String(open));
  if (open) toTop();
});

followAddress();
mendInputs();
listenCode();
followClock();
