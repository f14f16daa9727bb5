// The renderer without WebGL: pixels written into an ImageData, pane by pane. Same plan, same picture.

import { clamp } from "./numbers.js";
import { fieldStrength, trailParts } from "./plan.js";
import { planeField, timeField } from "./scene.js";

/**
 * @typedef {import("./scene.js").Pane} Pane
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./plan.js").View} View
 * @typedef {{ pixels: Uint8ClampedArray, width: number, height: number }} Sheet
 * @typedef {ArrayLike<number>} Colours
 * @typedef {{ x: (p: Int16Array, i: number, x: number) => number, y: (p: Int16Array, i: number) => number }} Place
 */

export class SoftRenderer {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.name = "canvas2d";
    this.device = "CPU";
    this.budget = 26000;
    /** @type {ImageData[]} */
    this.images = [];
    /** @type {Uint8Array[]} */
    this.tables = [];
  }

  // The plan has the scene.
  load() {
    this.images = [];
  }

  /** @param {Uint8Array[]} tables the particles' colours, for each pane */
  colour(tables) {
    this.tables = tables;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.images = [];
  }

  /** @param {Plan} plan */
  draw(plan) {
    const c = this.context;
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    plan.panes.forEach((view, i) => {
      const [x, y, w, h] = view.rect;
      if (!this.images[i] || this.images[i].width !== w || this.images[i].height !== h) this.images[i] = c.createImageData(w, h);
      this.pane(plan, view, this.images[i], plan.scene.panes[i], this.tables[i]);
      c.putImageData(this.images[i], x, y);
    });
    // putImageData knows no clip: round the corners afterwards.
    c.globalCompositeOperation = "destination-in";
    c.beginPath();
    for (const view of plan.panes) c.roundRect(view.rect[0], view.rect[1], view.rect[2], view.rect[3], plan.round);
    c.fill();
    c.globalCompositeOperation = "source-over";
  }

  /** @param {Plan} plan @param {View} view @param {ImageData} image @param {Pane} pane @param {Colours} table */
  pane(plan, view, image, pane, table) {
    const { layers, time, coordinate } = plan, [r, g, b] = plan.theme.sunk;
    const sheet = { pixels: image.data, width: image.width, height: image.height };
    new Uint32Array(image.data.buffer).fill((255 << 24) | (b << 16) | (g << 8) | r);
    const [ox, oy, sx, sy] = view.norm.map((v, i) => (i < 2 ? v : v / 32767));
    /** @type {Place} */
    const place = { x: (p, i, x) => (time ? x : ox + sx * p[i]), y: (p, i) => oy + sy * p[time ? i + coordinate : i + 1] };
    if (layers.field) this.field(plan, view, sheet, pane);
    if (layers.lines && pane.lines) this.lines(plan, view, sheet, pane.lines, place);
    if (layers.trails) this.trails(plan, view, sheet, pane.positions, table, place);
    if (layers.particles) this.particles(plan, view, sheet, pane.positions, table, place);
  }

  /** @param {Plan} plan @param {View} view @param {Sheet} sheet @param {import("./scene.js").Table} lines @param {Place} place */
  lines(plan, view, sheet, { data: p, shape: [number, points] }, place) {
    for (let s = 0; s + 1 < points; s++) {
      const xa = view.timeX(1 - s / (points - 1)), xb = view.timeX(1 - (s + 1) / (points - 1));
      for (let l = 0; l < number; l++) {
        const i = 2 * (l * points + s);
        stroke(sheet, place.x(p, i, xa), place.y(p, i), place.x(p, i + 2, xb), place.y(p, i + 2), plan.theme.original, 0, plan.lineAlpha, plan.lineAlpha);
      }
    }
  }

  /** @param {Plan} plan @param {View} view @param {Sheet} sheet @param {Int16Array} p @param {Colours} table @param {Place} place */
  trails(plan, view, sheet, p, table, place) {
    const { count, last, times } = plan.scene, number = Math.min(count, plan.trailCount);
    for (const part of trailParts(plan, last)) {
      const from = 2 * part.frame * count, xa = view.timeX(times[part.frame]), xb = view.timeX(times[part.frame + 1]);
      for (let i = 0; i < number; i++) {
        const j = from + 2 * i, n = j + 2 * count;
        const x0 = place.x(p, j, xa), y0 = place.y(p, j), dx = place.x(p, n, xb) - x0, dy = place.y(p, n) - y0;
        stroke(sheet, x0 + dx * part.from, y0 + dy * part.from, x0 + dx * part.to, y0 + dy * part.to, table, 4 * i, part.fadeFrom, part.fadeTo);
      }
    }
  }

  /** @param {Plan} plan @param {View} view @param {Sheet} sheet @param {Int16Array} p @param {Colours} table @param {Place} place */
  particles(plan, view, sheet, p, table, place) {
    const { count } = plan.scene, { frame, mix } = plan.at, from = 2 * frame * count, x = view.timeX(plan.t);
    const cloud = (/** @type {number} */ number, /** @type {number} */ size, /** @type {number} */ alpha) => {
      for (let i = 0; i < number; i++) {
        const j = from + 2 * i, n = j + 2 * count, x0 = place.x(p, j, x), y0 = place.y(p, j);
        disc(sheet, x0 + (place.x(p, n, x) - x0) * mix, y0 + (place.y(p, n) - y0) * mix, size, table, 4 * i, alpha);
      }
    };
    cloud(count, plan.pointSize, plan.time ? 0.3 * plan.pointAlpha : plan.pointAlpha);
    if (plan.time) cloud(Math.min(count, plan.trailCount), 1.25 * plan.pointSize, 1);
  }

  /** @param {Plan} plan @param {View} view @param {Sheet} sheet @param {Pane} pane */
  field(plan, view, { pixels, width, height }, pane) {
    const field = plan.time ? timeField(plan.scene, pane, plan.coordinate) : planeField(plan.scene, pane);
    const [, rows, columns] = field.shape, { ink } = plan.theme, strength = fieldStrength(plan), size = rows * columns;
    const frame = plan.time ? 0 : plan.at.frame, mix = plan.time ? 0 : plan.at.mix, [u0, v0, du, dv] = view.uv;
    const here = field.slice(frame), next = field.slice(Math.min(frame + 1, field.shape[0] - 1));
    // The frame between two slices, once; then linear look-ups.
    const slice = new Float32Array(size);
    for (let i = 0; i < size; i++) slice[i] = (here[i] + (next[i] - here[i]) * mix) * (strength / 255);
    const across = Float32Array.from({ length: width }, (_, x) => inside(u0 + du * (x + 0.5), view.fade[0]));
    for (let y = 0; y < height; y++) {
      const v = v0 + dv * (y + 0.5), along = inside(v, view.fade[1]);
      if (v < 0 || v > 1) continue;
      const row = clamp(v * rows - 0.5, 0, rows - 1), r0 = Math.min(rows - 2, Math.floor(row)), fy = row - r0;
      for (let x = 0; x < width; x++) {
        const u = u0 + du * (x + 0.5);
        if (u < 0 || u > 1) continue;
        const column = clamp(u * columns - 0.5, 0, columns - 1), c0 = Math.min(columns - 2, Math.floor(column)), fx = column - c0, k = r0 * columns + c0;
        const low = slice[k] + (slice[k + 1] - slice[k]) * fx, high = slice[k + columns] + (slice[k + columns + 1] - slice[k + columns]) * fx;
        const alpha = (low + (high - low) * fy) * across[x] * along, o = 4 * (y * width + x);
        if (alpha < 0.003) continue;
        pixels[o] += (ink[0] - pixels[o]) * alpha;
        pixels[o + 1] += (ink[1] - pixels[o + 1]) * alpha;
        pixels[o + 2] += (ink[2] - pixels[o + 2]) * alpha;
      }
    }
  }

  dispose() {
    this.images = [];
  }
}

/** 1 within the field, softly 0 at its ends 0 and 1. @param {number} share @param {number} fade */
function inside(share, fade) {
  const near = clamp(Math.min(share, 1 - share) / fade, 0, 1);
  return near * near * (3 - 2 * near);
}

/**
 * Blend a colour (three bytes of `table` from `c`) into one pixel.
 * @param {Sheet} sheet @param {number} x @param {number} y @param {Colours} table @param {number} c @param {number} alpha
 */
function blend({ pixels, width, height }, x, y, table, c, alpha) {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const o = 4 * (y * width + x);
  pixels[o] += (table[c] - pixels[o]) * alpha;
  pixels[o + 1] += (table[c + 1] - pixels[o + 1]) * alpha;
  pixels[o + 2] += (table[c + 2] - pixels[o + 2]) * alpha;
}

/**
 * A line of one pixel: a step per pixel along the longer side, shared by the two pixels beside it on the other.
 * @param {Sheet} sheet @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1
 * @param {Colours} table @param {number} c @param {number} fadeFrom @param {number} fadeTo
 */
export function stroke(sheet, x0, y0, x1, y1, table, c, fadeFrom, fadeTo) {
  const dx = x1 - x0, dy = y1 - y0, steps = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)));
  if (steps > 4096 || Math.max(fadeFrom, fadeTo) < 0.01) return;
  const steep = Math.abs(dy) > Math.abs(dx);
  for (let s = 0; s < Math.max(1, steps); s++) {
    const share = steps ? (s + 0.5) / steps : 0.5, x = x0 + dx * share - 0.5, y = y0 + dy * share - 0.5;
    const alpha = fadeFrom + (fadeTo - fadeFrom) * share, ix = Math.floor(steep ? x : x + 0.5), iy = Math.floor(steep ? y + 0.5 : y);
    const part = steep ? x - ix : y - iy;
    blend(sheet, ix, iy, table, c, alpha * (1 - part));
    blend(sheet, steep ? ix + 1 : ix, steep ? iy : iy + 1, table, c, alpha * part);
  }
}

/**
 * A disc with soft edges.
 * @param {Sheet} sheet @param {number} x @param {number} y @param {number} size
 * @param {Colours} table @param {number} c @param {number} alpha
 */
export function disc(sheet, x, y, size, table, c, alpha) {
  if (size < 2.2) {
    // A small dot is shared by the four pixels around its centre.
    const ix = Math.floor(x - 0.5), iy = Math.floor(y - 0.5), fx = x - 0.5 - ix, fy = y - 0.5 - iy, ink = alpha * Math.min(1, 0.7 * size);
    blend(sheet, ix, iy, table, c, ink * (1 - fx) * (1 - fy));
    blend(sheet, ix + 1, iy, table, c, ink * fx * (1 - fy));
    blend(sheet, ix, iy + 1, table, c, ink * (1 - fx) * fy);
    blend(sheet, ix + 1, iy + 1, table, c, ink * fx * fy);
    return;
  }
  const radius = size / 2 + 0.5, x0 = Math.floor(x - radius), x1 = Math.ceil(x + radius), y0 = Math.floor(y - radius), y1 = Math.ceil(y + radius);
  for (let py = y0; py < y1; py++)
    for (let px = x0; px < x1; px++) {
      const cover = radius - Math.hypot(px + 0.5 - x, py + 0.5 - y);
      if (cover > 0) blend(sheet, px, py, table, c, alpha * Math.min(1, cover));
    }
}
