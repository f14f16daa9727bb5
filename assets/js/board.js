// The board: draw a cloud with the brush, see the points of a file, or drag the components of a mixture.
// What it shows is what plays: where nothing is drawn, the example, pale, until the first stroke.

import { SPAN, drawAxes, drawCloud, drawStrokes } from "./board-drawing.js";
import { Mixture } from "./board-mixture.js";
import { clamp } from "./player/numbers.js";

/**
 * @typedef {import("./board-drawing.js").Place} Place
 * @typedef {import("./board-drawing.js").Component} Component
 * @typedef {import("./board-drawing.js").Cloud} Cloud
 * @typedef {{ mode: string, strokes: Place[][], cloud: Cloud | null, components: Component[] }} Drawn
 */

/** @type {Record<string, string>} */
const HINTS = {
  mixture: "Drag a component; its tips stretch and turn it.",
  cloud: "The points of the file.",
  draw: "The cloud follows when you let go.",
  full: "The board is full: undo or clear to go on.",
  example: "Nothing is drawn: this example plays until your first stroke.",
  instead: "Your first stroke takes the place of the file's points.",
};
/** The most places of all strokes. */
const MOST = 2000;

/**
 * Whether Python says what the board shows, as its answer to a change does; its numbers have four decimals.
 * @param {any} value @param {string} mode @param {Place[][]} strokes @param {Component[]} components
 */
export function echoes(value, mode, strokes, components) {
  const alike = (/** @type {any[]} */ rows, /** @type {any[]} */ own, /** @type {(row: any, other: any) => boolean} */ same) =>
    rows.length === own.length && rows.every((row, k) => same(row, own[k]));
  if (value.mode !== mode || mode === "cloud") return false;
  if (mode === "draw") return alike(value.strokes, strokes, (line, other) => line.length === other.length);
  return alike(value.components, components, (row, own) => row.every((/** @type {number} */ c, /** @type {number} */ k) => Math.abs(c - own[k]) < 1e-3));
}

class Board {
  mode = "draw";
  /** @type {Place[][]} */ strokes = [];
  /** The points of a file. @type {Cloud | null} */ cloud = null;
  /** What undo goes back to. @type {Drawn[]} */ history = [];
  /** Whether a stroke is drawn, and how many changes were sent. */
  drawing = false; sent = 0;

  /** @param {HTMLElement} element @param {{ example: Place[][], most: number }} given @param {(data: object) => void} trigger */
  constructor(element, { example, most }, trigger) {
    this.root = /** @type {HTMLElement} */ (element.querySelector(".fm-board"));
    this.plane = /** @type {HTMLElement} */ (element.querySelector(".board-plane"));
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.hint = /** @type {HTMLElement} */ (element.querySelector(".board-hint"));
    this.button = (/** @type {string} */ name) => /** @type {HTMLButtonElement} */ (element.querySelector(`[data-board=${name}]`));
    this.example = example;
    this.trigger = trigger;
    const [keep, draw, send, undo] = [() => this.keep(), () => this.draw(), () => this.send(), () => this.undo()];
    this.mixture = new Mixture(element, most, { keep, draw, send, undo });
    this.listen();
  }

  listen() {
    const { plane, mixture } = this;
    plane.addEventListener("pointerdown", (event) => this.press(event));
    plane.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) plane.addEventListener(end, () => this.release());
    // What was taken hold of keeps the focus.
    plane.addEventListener("mousedown", (event) => event.preventDefault());
    plane.addEventListener("wheel", (event) => this.mode === "mixture" && mixture.wheel(event, this.pixel(event)), { passive: false });
    this.button("clear").addEventListener("click", () => this.clear());
    this.button("add").addEventListener("click", () => mixture.add());
    this.button("remove").addEventListener("click", () => mixture.remove());
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
    if (mode === "mixture") return this.mixture.draw(pen);
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
    show("remove", mode === "mixture");
    show("draw", mode === "cloud");
    show("undo", mode === "mixture" || (mode === "draw" && this.history.length > 0));
    show("clear", mode === "draw" && strokes.length > 0);
    this.button("undo").ariaDisabled = String(!this.history.length);
    this.root.dataset.mode = mode;
    const nothing = this.cloud ? "instead" : "example", drawn = this.full ? "full" : mode;
    this.hint.textContent = HINTS[mode !== "draw" || strokes.length ? drawn : nothing];
    this.draw();
  }

  /** @param {object} [what] */
  send(what = this.mode === "mixture" ? { components: this.mixture.components } : { strokes: this.strokes }) {
    this.mixture.settle();
    this.sent += 1;
    this.trigger({ ...what, count: this.sent });
  }

  keep() {
    this.history.push({ mode: this.mode, strokes: this.strokes.map((stroke) => [...stroke]), cloud: this.cloud, components: this.mixture.components });
    this.button("undo").ariaDisabled = "false";
  }

  /** Where the pointer is, in pixels of the board. @param {MouseEvent} event */
  pixel(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (this.mode === "cloud") return;
    this.plane.setPointerCapture(event.pointerId);
    if (this.mode === "mixture") return this.mixture.press(event, this.pixel(event));
    if (this.full) return;
    this.keep();
    this.drawing = true;
    this.strokes.push([this.place(event)]);
    this.draw();
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.mode === "mixture") return this.mixture.move(this.pixel(event));
    if (!this.drawing) return;
    if (this.full) return this.dress();
    const [x, y] = this.place(event), stroke = this.strokes[this.strokes.length - 1], [px, py] = stroke[stroke.length - 1];
    if (Math.hypot(px - x, py - y) > 0.04) stroke.push([x, y]);
    requestAnimationFrame(() => this.draw());
  }

  /** The plane's point under the pointer. @param {MouseEvent} event */
  place(event) {
    const { clientWidth: size } = this.canvas, [px, py] = this.pixel(event);
    return [(2 * px) / size - 1, 1 - (2 * py) / size].map((c) => clamp(c * SPAN, -SPAN, SPAN));
  }

  /** Whether the strokes are as long as a link can carry. */
  get full() {
    return this.strokes.reduce((sum, stroke) => sum + stroke.length, 0) >= MOST;
  }

  release() {
    if (this.mode === "mixture") return this.mixture.release();
    if (!this.drawing) return;
    this.cloud = null;
    this.drawing = false;
    this.dress();
    this.send();
  }

  clear() {
    this.keep();
    this.strokes = [];
    this.dress();
    this.send();
  }

  undo() {
    const drawn = this.strokes.length > 0, before = this.history.pop();
    if (!before) return;
    const { components, ...rest } = before;
    Object.assign(this, rest);
    if (this.mode === "mixture") {
      this.mixture.take(components);
      this.mixture.show(components);
    }
    this.dress();
    // The points of a file that were only put aside on the board play still.
    if (this.mode === "mixture" || (this.mode === "draw" && !this.cloud)) this.send();
    else if (drawn) this.send({ back: true });
  }

  /** Show what Python says, unless it answers an earlier stroke and knows nothing of the later ones. @param {any} value */
  take(value) {
    if (this.drawing || this.mixture.busy || (value.count || 0) < this.sent) return;
    this.sent = value.count || 0;
    // An answer to what was done here leaves the way back open; anything else begins anew.
    const answered = echoes(value, this.mode, this.strokes, this.mixture.components);
    if (!answered) this.history = [];
    this.mode = value.mode || "draw";
    this.strokes = (value.strokes || []).map((/** @type {Place[]} */ stroke) => [...stroke]);
    this.mixture.take(value.components || []);
    if (!answered) this.mixture.say();
    this.cloud = this.mode === "cloud" ? { points: value.points, labels: value.labels } : null;
    this.dress();
    this.fit();
  }
}

/** @param {HTMLElement} element @param {import("./studio.js").How} how `given`: the strokes of the example, and the most components */
export function mount(element, { props, watch, trigger, given }) {
  const board = new Board(element, given, (data) => trigger("input", data));
  const held = (/** @type {Event} */ event) => {
    if (board.mode !== "mixture") return;
    event.preventDefault();
    board.mixture.follow(/** @type {CustomEvent} */ (event).detail);
  };
  document.addEventListener("fm-hold", held);
  const take = () => board.take(typeof props.value === "string" ? JSON.parse(props.value) : props.value || {});
  const sizes = new ResizeObserver(() => board.fit()), theme = new MutationObserver(() => board.draw());
  sizes.observe(board.canvas);
  theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  watch("value", take);
  take();
  return () => {
    document.removeEventListener("fm-hold", held);
    sizes.disconnect();
    theme.disconnect();
    board.mixture.settle();
  };
}
