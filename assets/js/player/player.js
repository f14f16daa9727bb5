// The player: its state, its scene and its clock. It draws only in requestAnimationFrame.

import { STYLE } from "../given.js";
import { leave } from "./chasing.js";
import { advance } from "./clock.js";
import { colourise, readTheme } from "./colour.js";
import { LAYERS, paneMarkup, playerMarkup, reflect, typeset } from "./controls.js";
import { Strip } from "./curves.js";
import { fill } from "../live/rework.js";
import { follow, markMeasured } from "./dragging.js";
import { draw } from "./draw.js";
import { Input } from "./input.js";
import { layout, viewOf } from "./layout.js";
import { clamp } from "./numbers.js";
import { fresh, rendererFor } from "./renderer.js";
import { askForCurves } from "./resting.js";
import { locate, readScene } from "./scene.js";
import { seen } from "./seen.js";

const COSTLY = 6, GIVE_WAY = 400;

/**
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./plan.js").View} View
 * @typedef {import("./probe.js").Probe} Probe
 * @typedef {import("./probe.js").Answer} Answer
 * @typedef {{ layers?: string[], colour?: string, panes?: number, height?: number, curves?: boolean, backend?: string | null,
 *   follow?: number[] | null, names?: Record<string, string>, id?: string | null, onProbe?: (probe: Probe) => void,
 *   onRest?: (asked: { awaits: string }) => void }} Options
 * @typedef {Player & { scene: Scene }} Loaded a player that has its scene
 */

export class Player {
  /** The scene that plays. @type {Scene | null} */
  scene = null;
  /** The time, the scene's first and last; t falls from `first` to `end`. */
  t = 1; first = 1; end = 0;
  /** Milliseconds that it has waited at the data. */
  held = 0;
  speed = 1; loop = true; trailShare = 0.16;
  /** Whether the space–time view is shown, and of which coordinate. */
  time = false; coordinate = 0;
  /** Frames drawn, scenes loaded, scenes computed here, and the frame that is shown. */
  count = 0; loads = 0; reworked = 0; frame = 0;
  /** Device pixels of a CSS pixel; `sharp` is the least while a picture is made. */
  dpr = 1; sharp = 0;
  /** @type {View[]} */ views = [];
  /** @type {number[]} */ size = [0, 0];
  /** @type {import("./layout.js").Box[]} */ frames = [];
  /** @type {HTMLElement[]} */ boxes = [];
  /** Where the pointer is. @type {{ pane: number, x: number, y: number, down: boolean } | null} */ pointer = null;
  /** The keyboard's cross. @type {{ pane: number, x: number, y: number } | null} */ aim = null;
  /** @type {Probe | null} */ probed = null;
  /** @type {Answer | null} */ answer = null;
  /** The answer that opens the next scene. @type {Answer | null} */ later = null;
  /** The answer that was laid over last. @type {string | null} */ laid = null;
  /** The particle under the pointer. */ picked = -1;
  /** @type {(() => void) | null} */ afterDraw = null;
  /** @type {(() => void) | null} */ afterSweep = null;
  /** Of requests for scenes. */ ticket = 0;
  loading = false; exporting = false; away = false; gone = false; skips = false;
  /** The animation frame that was asked for. */ pending = 0;
  /** Milliseconds of a frame, and until when all are left out. */ cost = 0; waits = 0;
  /** What waits for the finger to rest. @type {ReturnType<typeof setTimeout> | undefined} */ resting = undefined;
  /** What has been dragged since the last frame. @type {import("../live/rework.js").Change | null} */ change = null;
  /** When the last frame was drawn. @type {number | undefined} */ last = undefined;

  /** @param {HTMLElement} root element that becomes the player @param {Options} options */
  constructor(root, options = {}) {
    if (!document.querySelector("style[data-fm-player]")) {
      const style = document.createElement("style");
      style.dataset.fmPlayer = "";
      style.textContent = STYLE;
      document.head.append(style);
    }
    this.root = root;
    this.options = options;
    root.classList.add("fm-player");
    root.innerHTML = playerMarkup(options.names || {});
    const one = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.stage = one(".fm-stage");
    this.base = /** @type {HTMLCanvasElement} */ (one(".fm-base"));
    this.over = /** @type {HTMLCanvasElement} */ (one(".fm-over"));
    this.slider = /** @type {HTMLInputElement} */ (one(".fm-slider"));
    this.clock = one(".fm-clock");
    this.badge = one(".fm-badge");
    this.hint = one(".fm-hint");
    this.say = one(".fm-say");
    /** @type {Record<string, boolean>} */
    this.layers = Object.fromEntries(LAYERS.map(([key]) => [key, (options.layers || ["particles", "trails", "field"]).includes(key)]));
    this.colourMode = options.colour || "end";
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.followed = [...(options.follow || [])];
    this.strip = new Strip(one(".fm-strip"), this);
    if (options.curves) this.strip.card.classList.add("fm-reserve");
    this.makePanes(clamp(options.panes || 2, 1, 3));
    this.renderer = this.makeRenderer(options.backend);
    this.theme = readTheme(root);
    this.input = new Input(this);
    this.layout();
    this.reflect();
    this.probe = seen(this);
    Object.assign(root, { __player: this.probe });
  }

  /** @param {string | null} [wanted] @param {string} [because] why it is not WebGL */
  makeRenderer(wanted, because = "") {
    const { renderer, why } = rendererFor(this.base, wanted, () => this.gone || this.fallBack());
    this.base = renderer.canvas;
    this.badge.hidden = renderer.name === "webgl2";
    this.badge.textContent = "Canvas 2D";
    this.badge.title = `Drawn without WebGL. ${because || why}`;
    return renderer;
  }

  fallBack() {
    this.base = fresh(this.base);
    this.renderer = this.makeRenderer("canvas2d", "The WebGL context was lost.");
    if (this.scene) this.renderer.load(this.scene);
    this.layout();
    this.recolour();
  }

  /** @param {number} number */
  makePanes(number) {
    const have = this.stage.querySelectorAll(".fm-pane");
    if (have.length === number) return;
    have.forEach((pane) => pane.remove());
    this.stage.style.setProperty("--panes", String(number));
    this.stage.dataset.panes = String(number);
    this.base.insertAdjacentHTML("beforebegin", Array.from({ length: number }, (_, i) => paneMarkup(i)).join(""));
    this.boxes = [...this.stage.querySelectorAll(".fm-view")].map((box) => /** @type {HTMLElement} */ (box));
  }

  /** Fetch a scene and swap it in when it is there; until then the old one goes on playing. @param {string} url */
  async fetch(url) {
    const ticket = ++this.ticket;
    this.loading = true;
    try {
      const reply = await fetch(url);
      if (!reply.ok) throw new Error(`The scene could not be fetched (${reply.status}).`);
      const buffer = await reply.arrayBuffer();
      if (ticket === this.ticket && !this.gone) this.load(buffer);
    } catch (error) {
      if (ticket === this.ticket) this.tell(messageOf(error));
    }
    if (ticket === this.ticket) this.loading = false;
  }

  /** Play a scene's file. @param {ArrayBuffer} buffer */
  load(buffer) {
    const scene = readScene(buffer), was = this.scene;
    clearTimeout(this.resting);
    markMeasured(this, false);
    leave(this);
    fill(scene);
    this.scene = scene;
    this.first = scene.times[0];
    this.end = scene.times[scene.last];
    this.t = was ? clamp(this.t, this.end, this.first) : this.first;
    this.probed = this.answer = null;
    this.picked = -1;
    this.followed = this.followed.filter((i) => i < scene.count);
    this.tell("");
    this.makePanes(scene.panes.length);
    scene.panes.forEach((pane, i) => this.title(this.boxes[i], pane, scene.count));
    if (was?.dim !== scene.dim) this.time = scene.dim === 1;
    if (scene.dim === 1) this.coordinate = 0;
    if (!scene.labels && this.colourMode === "class") this.colourMode = "end";
    this.renderer.load(scene);
    this.strip.load(scene);
    this.loads++;
    this.waits = 0;
    this.reflect();
    this.layout();
    this.recolour();
    this.slider.min = "0";
    this.slider.max = String(this.first - this.end);
    this.open();
    askForCurves(this);
  }

  /** @param {HTMLElement} box @param {import("./scene.js").Pane} pane @param {number} count */
  title(box, { title, caption }, count) {
    const [heading, line] = /** @type {HTMLElement[]} */ ([...(box.parentElement?.querySelectorAll("h3, p") ?? [])]);
    typeset(heading, title);
    typeset(line, caption);
    line.title = caption.replaceAll("_", "");
    box.setAttribute("aria-label", `${title}: ${count} particles. Press Enter to choose a point.`);
  }

  recolour() {
    const { scene } = this;
    if (!scene) return;
    this.renderer.colour(scene.panes.map((pane) => colourise(scene, pane, this.colourMode, this.theme)));
    this.wake();
  }

  layout = () => layout(this);
  reflect = () => reflect(this);

  mapViews() {
    const { scene } = this;
    if (scene) this.views = this.frames.map((frame) => viewOf(frame, scene, this));
  }

  wake() {
    if (!this.pending && !this.gone) this.pending = requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now */
  tick(now) {
    this.pending = 0;
    if (!this.root.isConnected) return this.dispose();
    if (!this.scene || !this.stage.clientWidth || this.away) {
      this.last = undefined;
      return;
    }
    follow(this);
    // A frame's time may precede the last one's, and a sleeping tab wakes with a huge step.
    if (this.playing) advance(this, clamp(now - (this.last ?? now), 0, 100));
    this.last = this.playing ? now : undefined;
    // Where a frame takes the processor long, every other one is left out, so that the page gets half of its time;
    // and all of them for a moment after a choice, while the page asks for the scene of it.
    this.skips = this.playing && !this.exporting && this.cost > COSTLY && (!this.skips || now < this.waits);
    if (!this.skips) {
      const began = performance.now();
      this.draw();
      this.cost = 0.8 * this.cost + 0.2 * (performance.now() - began);
      this.afterDraw?.();
    }
    if (this.playing) this.wake();
  }

  /** A choice was made: a scene may be coming. */
  giveWay() {
    this.waits = performance.now() + GIVE_WAY;
  }

  draw() {
    if (hasScene(this)) draw(this);
  }

  /** Go to a time. @param {number} t */
  seek(t) {
    this.t = clamp(t, this.end, this.first);
    this.held = 0;
    this.wake();
  }

  /** Go some frames on, or back. @param {number} frames */
  step(frames) {
    if (!this.scene) return;
    this.setPlaying(false);
    const at = locate(this.scene, this.t), here = at.frame + at.mix;
    const next = frames > 0 ? Math.floor(here + 1e-6) + frames : Math.ceil(here - 1e-6) + frames;
    this.seek(this.scene.times[clamp(next, 0, this.scene.last)]);
  }

  /** @param {boolean} playing */
  setPlaying(playing) {
    this.playing = playing;
    this.last = undefined;
    if (playing && this.scene && this.t <= this.end) this.t = this.first;
    this.reflect();
    this.wake();
  }

  /** @param {boolean} time whether to show the space–time view */
  setView(time) {
    this.time = time;
    this.mapViews();
    this.reflect();
    this.wake();
  }

  /** Show the answer to a probe; null takes it away. @param {Answer | null} answer */
  overlay(answer) {
    const shown = answer && Number.isFinite(answer.x) ? answer : null;
    this.answer = shown;
    this.probed = shown && { pane: shown.pane, x: shown.x, y: shown.y, t: shown.t };
    this.wake();
  }

  /** Show the answer that opens this scene, if there is one, with the clock stopped at its time. */
  open() {
    if (!this.later) return;
    this.overlay(this.later);
    this.setPlaying(false);
    this.seek(this.later.t);
    this.later = null;
  }

  /** @param {string} text over the panes; an empty one takes it away */
  tell(text) {
    this.hint.textContent = text;
    this.hint.hidden = !text;
  }

  dispose() {
    if (this.gone) return;
    this.gone = true;
    clearTimeout(this.resting);
    cancelAnimationFrame(this.pending);
    this.input.dispose();
    this.renderer.dispose();
    this.scene = null;
  }
}

/** @param {Player} player @returns {player is Loaded} */
export const hasScene = (player) => player.scene !== null;

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));
