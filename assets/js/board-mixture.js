// The mixture on the board: components and their handles follow the pointer, keys, the wheel and the weight's slider.

import { SPAN, drawComponents } from "./board-drawing.js";
import { grab, hit, shaped, ellipse, step, tips } from "./live/handles.js";
import { added, described, lawOf, shares, weighted, without } from "./live/weights.js";

/** @typedef {import("./board-drawing.js").Component} Component */

/** After the last key, turn of the wheel or move of the weight, milliseconds until the change is sent. */
const SETTLED = 400;
/** What a key adds to a weight, and a turn of the wheel to a width. @type {Record<string, number>} */
const WEIGHT = { "+": 0.05, "=": 0.05, "-": -0.05, "−": -0.05 };
const WHEEL = 1.12;
/** Of the plane, beyond the farthest centre; less than what a drag keeps free, or the board would grow with each. */
const MARGIN = 0.2;

export class Mixture {
  /** @type {Component[]} */ components = [];
  /** Whose handles are shown. */
  chosen = 0;
  /** Half of what the board shows: more where components lie farther out. */
  span = SPAN;
  /** What the pointer makes of the component that is held, and whether it has. @type {ReturnType<typeof grab> | null} */ held = null;
  moved = false;
  /** Whether a component is held in a picture. */ afar = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ settling = undefined;

  /**
   * @param {HTMLElement} element @param {number} most components
   * @param {{ keep: () => void, draw: () => void, send: () => void, undo: () => void }} board
   */
  constructor(element, most, board) {
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (element.querySelector(name));
    this.most = most;
    this.board = board;
    this.canvas = /** @type {HTMLCanvasElement} */ (element.querySelector("canvas"));
    this.plane = part(".board-plane");
    this.parts = part(".board-parts");
    this.weight = /** @type {HTMLInputElement} */ (element.querySelector(".board-weight input"));
    this.percent = part(".board-weight output");
    this.said = part(".board-said");
    this.tips = [...this.plane.querySelectorAll(".board-tip")].map((tip) => /** @type {HTMLElement} */ (tip));
    this.parts.addEventListener("focusin", (event) => this.choose([...this.parts.children].indexOf(/** @type {Element} */ (event.target))));
    this.parts.addEventListener("keydown", (event) => this.key(event));
    this.weight.addEventListener("input", (event) => {
      // It is no change of Gradio's value.
      event.stopPropagation();
      this.weigh(Number(this.weight.value) / 100);
    });
    this.weight.addEventListener("change", (event) => {
      event.stopPropagation();
      if (this.settling !== undefined) board.send();
    });
  }

  /** @returns {import("./live/handles.js").View} */
  get view() {
    const { span, canvas: { clientWidth: w, clientHeight: h } } = this;
    return {
      w, h,
      css: ([x, y]) => [((x / span + 1) * w) / 2, ((1 - y / span) * h) / 2],
      plane: (px, py) => [((2 * px) / w - 1) * span, (1 - (2 * py) / h) * span],
    };
  }

  /** @param {Component[]} components */
  take(components) {
    this.components = components;
    this.chosen = Math.max(0, Math.min(this.chosen, components.length - 1));
    this.span = components.reduce((most, [, x, y]) => Math.max(most, Math.abs(x) + MARGIN, Math.abs(y) + MARGIN), SPAN);
  }

  /** @param {number} part */
  choose(part) {
    this.chosen = part;
    this.say();
    this.board.draw();
  }

  /** @param {string} [words] */
  say(words = this.components.length ? described(this.components, this.chosen) : "") {
    this.said.textContent = words;
  }

  /** @param {CanvasRenderingContext2D} pen */
  draw(pen) {
    const { components, chosen, parts, view } = this, share = shares(components);
    while (parts.children.length > components.length) parts.lastElementChild?.remove();
    while (parts.children.length < components.length) parts.append(Object.assign(document.createElement("button"), { type: "button" }));
    const at = (/** @type {Element} */ part, /** @type {number[]} */ [x, y]) => Object.assign(/** @type {HTMLElement} */ (part).style, { left: `${x}px`, top: `${y}px` });
    components.forEach((component, k) => {
      const part = parts.children[k];
      at(part, view.css(component.slice(1, 3)));
      part.setAttribute("aria-label", described(components, k));
      part.setAttribute("aria-pressed", String(k === chosen));
    });
    const ends = tips(components[chosen], view);
    this.tips.forEach((tip, k) => at(tip, ends[k]));
    this.weight.value = String(100 * share[chosen]);
    this.weight.disabled = components.length === 1;
    this.percent.textContent = `${Math.round(100 * share[chosen])} %`;
    drawComponents(pen, components.map((component, k) => [share[k], ...component.slice(1)]), chosen, this.span, this.held ? [] : ends.map(([x, y]) => view.plane(x, y)));
  }

  /** @param {PointerEvent} event @param {number[]} pixel */
  press(event, pixel) {
    const met = hit(this.components, this.chosen, this.view, pixel);
    if (!met) return;
    // A finger beside the handles scrolls the page; it only chooses.
    const scrolls = event.pointerType === "touch" && event.target === this.canvas;
    if (!scrolls) this.held = grab(this.components[met.part], met.handle, this.view, pixel);
    this.moved = false;
    this.plane.classList.toggle("board-held", this.held !== null);
    /** @type {HTMLElement} */ (this.parts.children[met.part]).focus({ preventScroll: true });
    this.choose(met.part);
  }

  /** @param {number[]} pixel */
  move(pixel) {
    if (!this.held) return;
    if (!this.moved) this.board.keep();
    this.moved = true;
    this.show(this.components.with(this.chosen, this.held(pixel)));
  }

  /** A component is held in a picture: moved there, and at the end sent from here. @param {{ part?: number, component?: Component, end?: boolean }} hold */
  follow({ part, component, end }) {
    if (part !== undefined && component) {
      if (!this.afar) this.board.keep();
      this.afar = true;
      this.chosen = part;
      this.show(this.components.with(part, [this.components[part][0], ...component.slice(1)]));
    }
    if (!end) return;
    this.afar = false;
    this.board.send();
  }

  release() {
    if (!this.held) return;
    this.held = null;
    this.plane.classList.remove("board-held");
    this.board.draw();
    if (this.moved) this.board.send();
  }

  /** Other components, on the board and in the pictures, before Python hears of them. @param {Component[]} components */
  show(components) {
    this.components = components;
    this.say();
    document.dispatchEvent(new CustomEvent("fm-drag", { detail: { data: lawOf(components) } }));
    requestAnimationFrame(() => this.board.draw());
  }

  /** One of several changes that follow quickly: one to undo, and sent when no other comes. @param {Component[]} components */
  change(components) {
    if (this.settling === undefined) this.board.keep();
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.board.send(), SETTLED);
    this.show(components);
  }

  /** Whether nothing from elsewhere may take the components' place now. */
  get busy() {
    return this.held !== null || this.afar || this.settling !== undefined;
  }

  /** What was waiting to be sent is sent with what is sent now, or not at all. */
  settle() {
    clearTimeout(this.settling);
    this.settling = undefined;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { key, shiftKey } = event, { components, chosen } = this, undo = (event.ctrlKey || event.metaKey) && key === "z";
    if (event.altKey || ((event.ctrlKey || event.metaKey) && !undo)) return;
    const own = components[chosen], next = step(own, key, shiftKey, this.view), same = next?.every((c, k) => Math.abs(c - own[k]) < 1e-9);
    if (undo) this.board.undo();
    else if (key === "Delete" || key === "Backspace") this.remove();
    else if (key in WEIGHT) this.weigh(shares(components)[chosen] + WEIGHT[key]);
    else if (same) this.say("That changes nothing here: it is round, or at a bound.");
    else if (next) this.change(components.with(chosen, next));
    else return;
    // A player under the pointer would take the key for its clock.
    event.stopPropagation();
    event.preventDefault();
  }

  /** @param {number} share of the chosen component */
  weigh(share) {
    if (this.components.length === 1) return this.say("The only component has all the weight.");
    this.change(weighted(this.components, this.chosen, share));
  }

  /** The wheel over the chosen component makes it wider or narrower. @param {WheelEvent} event @param {number[]} pixel */
  wheel(event, pixel) {
    const { components, chosen, view } = this, own = components[chosen], inside = this.parts.contains(document.activeElement);
    if (!inside || hit([own], -1, view, pixel) === null) return;
    event.preventDefault();
    const { widths, angle } = ellipse(own), factor = event.deltaY < 0 ? WHEEL : 1 / WHEEL;
    this.change(components.with(chosen, shaped(own, widths.map((width) => width * factor), angle)));
  }

  add() {
    if (this.components.length >= this.most) return this.say(`A mixture has at most ${this.most} components. Remove one first.`);
    this.replace(added(this.components), this.components.length);
  }

  remove() {
    if (this.components.length === 1) return this.say("A mixture has at least one component.");
    this.replace(without(this.components, this.chosen), Math.max(0, this.chosen - 1));
  }

  /** @param {Component[]} components @param {number} chosen */
  replace(components, chosen) {
    const focused = this.parts.contains(document.activeElement);
    if (this.settling === undefined) this.board.keep();
    this.components = components;
    this.choose(chosen);
    if (focused) /** @type {HTMLElement} */ (this.parts.children[chosen]).focus({ preventScroll: true });
    this.board.send();
  }
}
