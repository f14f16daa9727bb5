// The strip under the panes: curves on the player's clock, from noise at the left to data at the right.

import { scrub } from "./clock.js";
import { css } from "./colour.js";
import { typeset } from "./controls.js";
import { FONT } from "./marks.js";
import { clamp, fixed, minus, ticks } from "./numbers.js";
import { locate } from "./scene.js";

/**
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./scene.js").Curves} Curves
 * @typedef {import("./colour.js").Theme} Theme
 * @typedef {{ c: CanvasRenderingContext2D, theme: Theme, scene: Scene, curves: Curves, w: number, h: number,
 *   px: (time: number) => number, py: (value: number) => number }} Sheet where to draw, and the maps there
 * @typedef {{ first: number, end: number, setPlaying: (playing: boolean) => void, seek: (t: number) => void, wake: () => void }} Clock
 */

/** The lowest and highest value of an axis that shows all curves. @param {Curves} curves */
export function rangeOf(curves) {
  /** @type {number[]} */
  const all = [];
  for (const value of [...curves.series.flatMap((s) => s.values), ...(curves.band?.flat() ?? [])]) if (value !== null) all.push(value);
  const [least, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  // Curves that reach down to within a third of their height of zero are shown from zero.
  const low = least > 0 && least < 0.34 * high ? 0 : least;
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low === 0 ? 0 : low - room, high + room];
}

/** A value as written beside its curve: three figures of the largest one of the axis. @param {number | null} value @param {number[]} range */
export function readout(value, [low, high]) {
  if (value === null) return "–";
  const decimals = clamp(2 - Math.floor(Math.log10(Math.max(Math.abs(low), Math.abs(high), 1e-9))), 0, 9);
  return decimals < 7 ? fixed(value, decimals) : minus(value.toExponential(2));
}

export class Strip {
  /** @param {HTMLElement} card @param {Clock} clock */
  constructor(card, clock) {
    const one = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (card.querySelector(selector));
    this.card = card;
    this.title = one(".fm-strip-title");
    this.caption = one(".fm-strip-caption");
    this.legend = one(".fm-legend");
    this.canvas = /** @type {HTMLCanvasElement} */ (one("canvas"));
    /** @type {number | null} */
    this.hover = null;
    this.left = 40;
    /** @type {Curves | null} */
    this.curves = null;
    /** @type {HTMLElement[]} */
    this.readouts = [];
    this.range = [0, 1];
    this.marks = ticks(0, 1, 3);
    this.listen(clock);
  }

  /** @param {Clock} clock */
  listen(clock) {
    const at = (/** @type {PointerEvent} */ event) => {
      const box = this.canvas.getBoundingClientRect(), share = clamp((event.clientX - box.left - this.left) / (box.width - this.left - 6), 0, 1);
      return clock.first + (clock.end - clock.first) * share;
    };
    let held = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      held = true;
      this.canvas.setPointerCapture(event.pointerId);
      scrub(clock, at(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      this.hover = at(event);
      if (held) scrub(clock, this.hover);
      clock.wake();
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (held = false));
    this.canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      clock.wake();
    });
  }

  /** What is drawn belongs to the scene before: it is pale, and says so, until its own curves come. @param {string} says */
  stale(says) {
    if (!this.curves) return;
    this.card.classList.add("fm-stale");
    this.caption.dataset.says = says;
  }

  /** @param {Scene} scene */
  load({ curves, awaits }) {
    if (!curves && awaits) return this.stale("being measured");
    this.card.classList.remove("fm-stale");
    this.card.classList.toggle("fm-without", !curves);
    this.curves = curves;
    typeset(this.title, curves ? curves.label : "");
    typeset(this.caption, curves ? curves.caption : "");
    this.legend.replaceChildren();
    this.canvas.width += 0; // Setting a canvas's width empties it.
    if (!curves) return;
    this.readouts = curves.series.map((series) => this.key(series));
    if (curves.band) {
      const item = document.createElement("span");
      item.className = "fm-key fm-key-band";
      item.append(curves.bandName);
      this.legend.append(item);
    }
    this.range = rangeOf(curves);
    const [low, high] = this.range;
    this.marks = [3, 5, 8].map((count) => ticks(low, high, count)).find((marks) => marks.values.length > 1) || ticks(low, high, 8);
  }

  /** A curve's name in the legend; returns the place of its value. @param {import("./scene.js").Curve} series */
  key({ name, role }) {
    const item = document.createElement("span"), label = document.createElement("span"), value = document.createElement("b");
    item.className = "fm-key";
    item.style.setProperty("--key", `var(--fm-${role})`);
    typeset(label, name);
    item.append(label, value);
    this.legend.append(item);
    return value;
  }

  /** @param {number} dpr @param {Theme} theme @param {number} t @param {Scene} scene */
  draw(dpr, theme, t, scene) {
    const box = this.canvas, w = box.clientWidth, h = box.clientHeight, curves = this.curves;
    if (!curves || !w || !h) return;
    if (box.width !== Math.round(w * dpr) || box.height !== Math.round(h * dpr)) {
      box.width = Math.round(w * dpr);
      box.height = Math.round(h * dpr);
    }
    const c = /** @type {CanvasRenderingContext2D} */ (box.getContext("2d"));
    c.setTransform(dpr, 0, 0, dpr, 0, 0);
    c.clearRect(0, 0, w, h);
    c.font = FONT;
    const texts = this.marks.values.map((v) => fixed(v, this.marks.digits));
    this.left = Math.ceil(Math.max(...texts.map((text) => c.measureText(text).width), 8)) + 12;
    const [low, high] = this.range, first = scene.times[0], last = scene.times[scene.last];
    /** @type {Sheet} */
    const sheet = {
      c, theme, scene, curves, w, h,
      px: (time) => this.left + ((first - time) / (first - last)) * (w - this.left - 6),
      py: (value) => 6 + ((high - value) / (high - low)) * (h - 24),
    };
    this.axes(sheet, texts);
    if (curves.band) drawBand(sheet, curves.band, low);
    drawCurves(sheet);
    drawCursor(sheet, t, 0.75);
    if (this.hover !== null) drawCursor(sheet, this.hover, 0.3);
    this.values(sheet, this.hover ?? t);
  }

  /** @param {Sheet} sheet @param {string[]} texts of the marks */
  axes({ c, theme, w, h, py }, texts) {
    c.textBaseline = "middle";
    c.textAlign = "right";
    c.lineWidth = 1;
    this.marks.values.forEach((value, i) => {
      const y = Math.round(py(value)) + 0.5;
      c.strokeStyle = css(theme["ink-faint"], 0.2);
      c.beginPath();
      c.moveTo(this.left, y);
      c.lineTo(w - 6, y);
      c.stroke();
      c.fillStyle = css(theme["ink-soft"]);
      c.fillText(texts[i], this.left - 7, y);
    });
    c.textBaseline = "alphabetic";
    c.textAlign = "left";
    c.fillStyle = css(theme.noise);
    c.fillText("noise", this.left, h - 3);
    c.textAlign = "right";
    c.fillStyle = css(theme.data);
    c.fillText("data", w - 6, h - 3);
  }

  /** The curves' values at one time: dots on them, and numbers in the legend. @param {Sheet} sheet @param {number} shown */
  values({ c, theme, scene, curves, px, py }, shown) {
    const at = locate(scene, shown);
    curves.series.forEach((series, i) => {
      const a = series.values[at.frame], b = series.values[at.frame + 1], value = a === null || b === null ? null : a + (b - a) * at.mix;
      const text = readout(value, this.range);
      if (this.readouts[i].textContent !== text) this.readouts[i].textContent = text;
      if (value === null) return;
      c.beginPath();
      c.arc(px(shown), py(value), 3.6, 0, 7);
      c.fillStyle = css(theme[series.role]);
      c.strokeStyle = css(theme.card);
      c.lineWidth = 1.5;
      c.fill();
      c.stroke();
    });
  }
}

/** @param {Sheet} sheet @param {(number | null)[][]} band lower and upper edge @param {number} low where a gap is drawn */
function drawBand({ c, theme, scene, px, py }, [lower, upper], low) {
  c.fillStyle = css(theme.ink, theme.dark ? 0.13 : 0.09);
  c.beginPath();
  scene.times.forEach((time, k) => c.lineTo(px(time), py(upper[k] ?? low)));
  for (let k = scene.last; k >= 0; k--) c.lineTo(px(scene.times[k]), py(lower[k] ?? low));
  c.fill();
}

/** @param {Sheet} sheet */
function drawCurves({ c, theme, scene, curves, px, py }) {
  c.lineJoin = "round";
  for (const series of curves.series) {
    c.strokeStyle = css(theme[series.role]);
    c.lineWidth = 2;
    c.beginPath();
    let pen = false;
    series.values.forEach((value, k) => {
      if (value !== null && pen) c.lineTo(px(scene.times[k]), py(value));
      else if (value !== null) c.moveTo(px(scene.times[k]), py(value));
      pen = value !== null;
    });
    c.stroke();
  }
}

/** @param {Sheet} sheet @param {number} time @param {number} alpha */
function drawCursor({ c, theme, h, px }, time, alpha) {
  const x = Math.round(px(time)) + 0.5;
  c.setLineDash([3, 3]);
  c.lineWidth = 1;
  c.strokeStyle = css(theme.ink, alpha);
  c.beginPath();
  c.moveTo(x, 2);
  c.lineTo(x, h - 16);
  c.stroke();
  c.setLineDash([]);
}
