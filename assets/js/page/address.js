// The address carries the experiment and the room: a link opens both, the back button returns to the room before.

import { on, toTop } from "./on.js";

const TABS = '#rooms > .tab-wrapper [role="tab"]';

/** A room's hash, by the name on its tab. @param {string} name */
export const hashOf = (name) => `#${name.trim().toLowerCase().replaceAll(" ", "-")}`;

/** The query with its question mark; nothing for an experiment without changes. @param {string | null} query */
export const searchOf = (query) => (query ? `?${query}` : "");

const hash = (/** @type {Element} */ tab) => hashOf(tab.textContent ?? "");

/** Open the room that the address names, as soon as there are tabs. */
function enter() {
  const tabs = [...document.querySelectorAll(TABS)];
  if (!tabs.length) return void setTimeout(enter, 100);
  const wanted = tabs.find((tab) => hash(tab) === location.hash) || tabs[0];
  if (wanted.getAttribute("aria-selected") !== "true") /** @type {HTMLElement} */ (wanted).click();
}

/** Text to the clipboard. @param {string} text @returns {Promise<boolean>} whether it is there */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Outside https and this machine, and in some frames, a page may not write to the clipboard; the old command may.
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** @param {HTMLElement} button */
async function copyLink(button) {
  const said = button.innerHTML;
  if (!(await copied(location.href))) return void window.prompt("The link to this experiment:", location.href);
  button.style.minWidth = `${button.offsetWidth}px`;
  button.textContent = "Copied";
  setTimeout(() => (button.innerHTML = said), 1400);
}

/** Keep the address and the page together; "fm-link" brings an experiment's query. */
export function followAddress() {
  let search = location.search;
  const write = (/** @type {"pushState" | "replaceState"} */ change, /** @type {string} */ room) => {
    history[change](null, "", search + room || location.pathname);
    // A Space shows the page in a frame; its own address carries the link on this request.
    if (parent !== window) parent.postMessage({ queryString: search.slice(1), hash: room }, "https://huggingface.co");
  };
  window.addEventListener("fm-link", (event) => {
    search = searchOf(/** @type {CustomEvent<string>} */ (event).detail);
    write("replaceState", location.hash);
  });
  on(TABS, (tab) => {
    toTop();
    const room = tab === document.querySelector(TABS) ? "" : hash(tab);
    if (room !== location.hash) write("pushState", room);
  });
  window.addEventListener("popstate", () => {
    // The experiment stays as it is: only the room goes back.
    write("replaceState", location.hash);
    enter();
  });
  on("[data-fm=link]", copyLink);
  if (location.hash) enter();
}
