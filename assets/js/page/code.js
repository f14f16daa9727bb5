// The code dialog: what lies under it cannot be reached while it is open, and focus goes back where it was.

import { on } from "./on.js";

/** @param {boolean} open @param {HTMLElement | null} opener where focus goes back to */
function show(open, opener) {
  const dialog = document.querySelector("#code-dialog");
  if (!dialog || open === document.body.classList.contains("fm-code")) return;
  document.body.classList.toggle("fm-code", open);
  for (const under of document.querySelectorAll("#bar, #studio")) under.toggleAttribute("inert", open);
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  dialog.setAttribute("aria-labelledby", "code-title");
  const next = open ? /** @type {HTMLElement | null} */ (dialog.querySelector("[data-fm=code-close]")) : opener;
  next?.focus();
}

export function listenCode() {
  /** @type {HTMLElement | null} */
  let opener = null;
  const close = () => show(false, opener);
  on("[data-fm=code]", (button) => {
    opener = button;
    /** @type {HTMLElement | null} */ (document.querySelector("#code-ask"))?.click();
    show(true, opener);
  });
  on("[data-fm=code-close]", close);
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.id === "code-dialog") close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
}
