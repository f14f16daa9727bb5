// The one script of the page: it starts the studio's own elements and ends them when they leave the page.
//
// fmstudio/ui/element.py sends "fm-mount" from an element, with the module's name and what Gradio gives it; a module
// is a function mount(element, how) that returns how to end it. The page asks "fm-idle" before it brings more.

import { mount as board } from "./board.js";
import { mount as film } from "./film.js";
import { mount as lessons } from "./lessons.js";
import { answer } from "./live/worker.js";
import { mount as offline } from "./offline.js";
import { giveWay, idle, mount as player } from "./player/gradio.js";
import { mount as plot } from "./plot.js";

/**
 * @typedef {object} How what an element is given
 * @property {any} given by Python, once
 * @property {{ value: any, overlay?: any, measured?: any }} props
 * @property {(name: string, then: () => void) => void} watch calls when a prop has changed
 * @property {(event: string, data: unknown) => void} trigger
 *
 * @typedef {(element: HTMLElement, how: How) => () => void} Mount
 */

/** @type {Record<string, Mount>} */
const MODULES = { board, film, lessons, offline, player, plot };

/** How to end what stands on the page. @type {Map<HTMLElement, () => void>} */
const standing = new Map();

function listen() {
  document.addEventListener("fm-mount", (event) => {
    const element = /** @type {HTMLElement} */ (event.target), { module, ...how } = /** @type {CustomEvent} */ (event).detail;
    standing.set(element, MODULES[module](element, how));
    event.preventDefault();
  });

  new MutationObserver(() => {
    for (const [element, end] of standing) {
      if (element.isConnected) continue;
      standing.delete(element);
      end();
    }
  }).observe(document, { childList: true, subtree: true });

  document.addEventListener("change", giveWay, true);
  window.addEventListener("fm-idle", (event) => /** @type {CustomEvent<Promise<void>[]>} */ (event).detail.push(idle()));
}

// A Worker runs this script, too, to compute beside the page.
if (globalThis.document) listen();
else answer(/** @type {Parameters<typeof answer>[0]} */ (/** @type {unknown} */ (globalThis)));
