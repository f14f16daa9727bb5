// The drawing of a_t and b_t: curves of the path's formulas, and a dot on each that follows the player's clock.

import { path } from "../live/path.js";
import { withChange } from "../live/rework.js";

/** @typedef {import("../live/path.js").PathTexts} PathTexts */

/** The box of the curves in the drawing's own units. */
const LEFT = 12, TOP = 10, WIDTH = 208, HEIGHT = 84;
const SAMPLES = 81;
/** @type {("a" | "b")[]} */
const NAMES = ["a", "b"];

/** The real parts of a and b, and where they stand on the drawing. */
export class Curves {
  /** @param {PathTexts} texts */
  constructor(texts) {
    this.at = path(texts);
    const times = Array.from({ length: SAMPLES }, (_, k) => k / (SAMPLES - 1)), values = times.map((t) => this.at(t));
    const all = [0, 1, ...values.flatMap(({ a, b }) => [a.re, b.re])];
    this.low = Math.min(...all);
    this.high = Math.max(...all);
    this.points = NAMES.map((name) => times.map((t, k) => this.place(t, values[k][name].re).map((v) => v.toFixed(1)).join()).join(" "));
  }

  /** @param {number} t @param {number} value */
  place(t, value) {
    return [LEFT + (1 - t) * WIDTH, TOP + HEIGHT - ((value - this.low) / (this.high - this.low)) * HEIGHT];
  }
}

/** @param {Element} drawing @param {Curves} curves @param {number} t */
function draw(drawing, curves, t) {
  const now = curves.at(t), one = (/** @type {string} */ selector) => drawing.querySelector(selector);
  NAMES.forEach((name, i) => {
    const [x, y] = curves.place(t, now[name].re);
    if (one(`.curve-${name}`)?.getAttribute("points") !== curves.points[i]) one(`.curve-${name}`)?.setAttribute("points", curves.points[i]);
    one(`.dot-${name}`)?.setAttribute("cx", String(x));
    one(`.dot-${name}`)?.setAttribute("cy", String(y));
    const out = one(`.value-${name}`);
    // Only what is new is written: the page is watched for changes.
    if (out && out.textContent !== now[name].re.toFixed(2)) out.textContent = now[name].re.toFixed(2);
  });
  for (const end of ["x1", "x2"]) one(".clock")?.setAttribute(end, String(LEFT + (1 - t) * WIDTH));
}

/** Draw the curves of the path that the page shows, while it is dragged too, and let the dots follow the clock. */
export function followClock() {
  let t = 1, told = "";
  /** @type {PathTexts | null} */
  let texts = null;
  /** @type {Curves | null} */
  let curves = null;
  /** @type {Element | null} */
  let drawn = null;
  const show = () => {
    const drawing = document.querySelector(".fm-coefficients"), given = drawing?.getAttribute("data-path") ?? "";
    if (given && given !== told) {
      told = given;
      texts = /** @type {PathTexts} */ (JSON.parse(given));
      curves = new Curves(texts);
    }
    drawn = drawing;
    if (drawing && curves) draw(drawing, curves, t);
  };
  window.addEventListener("fm-clock", (event) => {
    t = /** @type {CustomEvent<{ t: number }>} */ (event).detail.t;
    show();
  });
  document.addEventListener("fm-drag", (event) => {
    const changed = texts && withChange(texts, /** @type {CustomEvent} */ (event).detail);
    if (!changed) return;
    texts = changed;
    curves = new Curves(changed);
    show();
  });
  // A new path comes without the clock, which may be paused.
  const mended = () => {
    const drawing = document.querySelector(".fm-coefficients");
    if (drawing !== drawn || drawing?.getAttribute("data-path") !== told) show();
  };
  new MutationObserver(mended).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-path"] });
}
