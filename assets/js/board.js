// The board: draw a cloud with the brush, see the points of a file, or drag the components of a mixture.
// What it shows is what plays: where nothing is drawn, the example, pale, until the first stroke.

import { SPAN, drawAxes, drawCloud, drawComponents, drawStrokes } from "./board-drawing.js";
import { clamp } from "./player/numbers.js";

/**
 * @typedef {import("./board-drawing.js").Place} Place
 * @typedef {import("./board-drawing.js").Component} Component
 * @typedef {import("./board-drawing.js").Cloud} Cloud
 * @typedef {{ mode: string, strokes: Place[][], cloud: Cloud | null }} Drawn
 */

/** @type {Record<string, string>} */
const HINTS = {
  mixture: "Drag a component; the wheel widens it.",
  cloud: "The points of the file.",
  draw: "The cloud follows when you let go.",
  example: "An example. Draw over it: your drawing takes its place.",
  instead: "Your first stroke takes the place of the file's points.",
};
/** The most components, and how far from its middle a component is taken hold of. */
const MOST = 16, REACH = 0.8;

/** The component nearest to a place, within reach; −1 if none. @param {Component[]} components @param {number} x @param {number} y */
export function nearest(components, x, y) {
  const distances = components.map(([, cx, cy]) => Math.hypot(cx - x, cy - y)), least = Math.min(...distances);
  return least <= REACH ? distances.indexOf(least) : -1;
}

/** A component made wider or narrower, within what can be seen. @param {Component} component @param {number} factor */
export function widened([weight, x, y, sxx, sxy, syy], factor) {
  return [weight, x, y, clamp(sxx * factor, 0.005, 4), sxy * factor, clamp(syy * factor, 0.005, 4)];
}

class Board {
  mode = "draw";
  /** @type {Place[][]} */ strokes = [];
  /** The points of a file. @type {Cloud | null} */ cloud = null;
  /** @type {Component[]} */ components = [];
  /** What undo goes back to. @type {Drawn[]} */ history = [];
  /** The component that is dragged, whether a stroke is drawn, and how many changes were sent. */
  held = -1; drawing = false; sent = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ settled = undefined;

  /** @param {HTMLElement} element @param {Place[][]} example @param {(data: object) => void} trigger */
  constructor(element, example, trigger) {
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.hint = /** @type {HTMLElement} */ (element.querySelector(".board-hint"));
    this.button = (/** @type {string} */ name) => /** @type {HTMLButtonElement} */ (element.querySelector(`[data-board=${name}]`));
    this.example = example;
    this.trigger = trigger;
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.release());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.button("clear").addEventListener("click", () => this.clear());
    this.button("add").addEventListener("click", () => this.add());
    this.button("draw").addEventListener("click", () => {
      this.keep();
      this.mode = "draw";
      this.dress();
    });
    this.button("undo").addEventListener("click", () => this.undo());
  }

  fit() {
    const { canvas } = this, size = canvas.clientWidth;
    if (!size) return;
    canvas.width = canvas.height = Math.round(size * (window.devicePixelRatio || 1));
    this.draw();
  }

  draw() {
    const { pen, mode, strokes, cloud } = this;
    drawAxes(pen);
    if (mode === "mixture") return drawComponents(pen, this.components, this.held);
    if (strokes.length) return drawStrokes(pen, strokes);
    // What plays while nothing is drawn yet; pale where a stroke takes its place.
    pen.globalAlpha = mode === "draw" ? 0.3 : 1;
    if (cloud) drawCloud(pen, cloud);
    else drawStrokes(pen, this.example);
    pen.globalAlpha = 1;
  }

  /** Show the buttons and the hint that go with what is on the board, and draw it. */
  dress() {
    const { mode, strokes } = this, show = (/** @type {string} */ name, /** @type {boolean} */ seen) => (this.button(name).hidden = !seen);
    show("add", mode === "mixture");
    show("draw", mode === "cloud");
    show("undo", mode === "draw" && this.history.length > 0);
    show("clear", mode === "mixture" || (mode === "draw" && strokes.length > 0));
    this.button("clear").textContent = mode === "mixture" ? "− component" : "Clear";
    this.canvas.style.cursor = mode === "cloud" ? "default" : "";
    this.hint.textContent = HINTS[mode !== "draw" || strokes.length ? mode : this.cloud ? "instead" : "example"];
    this.draw();
  }

  /** @param {object} [what] */
  send(what = this.mode === "mixture" ? { components: this.components } : { strokes: this.strokes }) {
    this.sent += 1;
    this.trigger({ ...what, count: this.sent });
  }

  keep() {
    this.history.push({ mode: this.mode, strokes: this.strokes.map((stroke) => [...stroke]), cloud: this.cloud });
  }

  /** The plane's point under the pointer. @param {MouseEvent} event */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(((event.clientX - box.left) / box.width) * 2 - 1) * SPAN, (1 - ((event.clientY - box.top) / box.height) * 2) * SPAN];
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (this.mode === "cloud") return;
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.place(event);
    if (this.mode === "draw") {
      this.keep();
      this.drawing = true;
      this.strokes.push([[x, y]]);
    } else this.held = nearest(this.components, x, y);
    this.draw();
  }

  /** @param {PointerEvent} event */
  move(event) {
    const [x, y] = this.place(event).map((c) => clamp(c, -SPAN, SPAN));
    if (this.drawing) {
      const stroke = this.strokes[this.strokes.length - 1], [px, py] = stroke[stroke.length - 1];
      if (Math.hypot(px - x, py - y) > 0.04 && this.strokes.flat().length < 2000) stroke.push([x, y]);
    } else if (this.held >= 0) {
      this.components[this.held].splice(1, 2, x, y);
      this.drag();
    } else return;
    requestAnimationFrame(() => this.draw());
  }

  /** Tell the players, before Python hears of it. */
  drag() {
    const data = this.components.map(([weight, mx, my, xx, xy, yy]) => ({ weight, mean: [mx, my], covariance: [xx, xy, xy, yy] }));
    document.dispatchEvent(new CustomEvent("fm-drag", { detail: { data } }));
  }

  release() {
    if (!this.drawing && this.held < 0) return;
    if (this.drawing) this.cloud = null;
    this.drawing = false;
    this.held = -1;
    this.dress();
    this.send();
  }

  /** The wheel over a component makes it wider or narrower. @param {WheelEvent} event */
  wheel(event) {
    const [x, y] = this.place(event), near = this.mode === "mixture" ? nearest(this.components, x, y) : -1;
    if (near < 0) return;
    event.preventDefault();
    this.components[near] = widened(this.components[near], event.deltaY < 0 ? 1.12 : 1 / 1.12);
    this.drag();
    this.draw();
    clearTimeout(this.settled);
    this.settled = setTimeout(() => this.send(), 250);
  }

  clear() {
    if (this.mode === "draw") {
      this.keep();
      this.strokes = [];
    } else this.components = this.components.slice(0, Math.max(1, this.components.length - 1));
    this.dress();
    this.send();
  }

  add() {
    if (this.components.length >= MOST) return;
    this.components.push([1 / (this.components.length + 1), 0, 0, 0.2, 0, 0.2]);
    this.dress();
    this.send();
  }

  undo() {
    const drawn = this.strokes.length > 0, before = this.history.pop();
    if (!before) return;
    Object.assign(this, before);
    this.dress();
    // The points of a file that were only put aside on the board play still.
    if (this.mode === "draw" && !this.cloud) this.send();
    else if (drawn) this.send({ back: true });
  }

  /** Show what Python says, unless it answers an earlier stroke and knows nothing of the later ones. @param {any} value */
  take(value) {
    if (this.drawing || (value.count || 0) < this.sent) return;
    this.sent = value.count || 0;
    /** @type {Place[][]} */
    const strokes = value.strokes || [];
    const same = strokes.length === this.strokes.length && strokes.every((line, k) => line.length === this.strokes[k].length);
    // An answer to what was drawn here leaves the way back open; anything else begins anew.
    if (this.mode !== "draw" || value.mode !== "draw" || !same) this.history = [];
    this.mode = value.mode || "draw";
    this.strokes = strokes.map((stroke) => stroke.map((place) => [...place]));
    this.components = (value.components || []).map((/** @type {Component} */ row) => [...row]);
    this.cloud = this.mode === "cloud" ? { points: value.points, labels: value.labels } : null;
    this.dress();
    this.fit();
  }
}

/** @param {HTMLElement} element @param {import("./studio.js").How} how `given`: the strokes of the example */
export function mount(element, { props, watch, trigger, given }) {
  const board = new Board(element, given, (data) => trigger("input", data));
  const take = () => board.take(typeof props.value === "string" ? JSON.parse(props.value) : props.value || {});
  const sizes = new ResizeObserver(() => board.fit()), theme = new MutationObserver(() => board.draw());
  sizes.observe(board.canvas);
  theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  watch("value", take);
  take();
  return () => {
    sizes.disconnect();
    theme.disconnect();
    clearTimeout(board.settled);
  };
}
