// A scene in the browser: views on the file's arrays, the clock's frames, marginals counted from particles.

import { numbersOf } from "../live/net.js";
import { clamp, scramble } from "./numbers.js";

/**
 * @typedef {{ frame: number, mix: number }} At a place on the clock: the frame before it, the share of the way to the next
 * @typedef {{ data: Int16Array<ArrayBuffer>, shape: number[] }} Table
 * @typedef {{ slice: (k: number) => Uint8Array<ArrayBuffer>, shape: number[] }} Field bytes of frame k; [frames, height, width]
 * @typedef {{ points: Int16Array, vectors: Int16Array, scale: number, role: string, typical?: number }} Arrows
 * @typedef {{ title: string, caption: string, field?: string, positions: Int16Array<ArrayBuffer>, arrows: Arrows | null, lines: Table | null,
 *   shows: "paths" | "one" | "flow" | null, counted: Record<string, Field> }} Pane
 * @typedef {{ name: string, role: string, values: (number | null)[] }} Curve
 * @typedef {{ label: string, caption: string, series: Curve[], band: (number | null)[][] | null, bandName: string }} Curves
 * @typedef {{ dim: 1 | 2, frames: number, count: number, times: number[], a: number[], b: number[], bounds: number[],
 *   box: number[], panes: Pane[], labels: Int16Array | null, curves: Curves | null, buffer: ArrayBuffer, last: number,
 *   live: import("../live/flow.js").Live | null, awaits: string }} Scene
 */

/**
 * Reads the binary file of fmstudio/plots/scene/file.py. Arrays are views on the buffer: nothing is copied but end
 * points, which move. What the browser computes has room, and is not filled yet.
 * @param {ArrayBuffer} buffer
 * @returns {Scene}
 */
export function readScene(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  let head;
  try {
    head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  } catch {
    throw new Error("This file is not a scene.");
  }
  if (head.format !== "fm-scene" || head.version !== 3) throw new Error("This scene is of a version the player does not know.");
  const start = 4 + length;
  /** @param {{ at: number, shape: number[] }} entry */
  const view = ({ at, shape }) => ({ data: new Int16Array(buffer, start + at, shape.reduce((product, n) => product * n, 1)), shape });
  const room = (/** @type {number} */ points) => new Int16Array(2 * head.frames * points);
  const ends = (/** @type {{ at: number, shape: number[] } | null} */ entry) =>
    entry && new Float32Array(buffer.slice(start + entry.at, start + entry.at + 8 * entry.shape[0]));
  /** @type {(arrows: any) => Arrows} */
  const arrows = ({ points, vectors, scale = 1, role }) => ({
    points: view(points).data, vectors: vectors ? view(vectors).data : room(points.shape[0]), scale, role,
  });
  /** @type {Pane[]} */
  const panes = head.panes.map((/** @type {any} */ pane) => {
    const traced = Math.min(pane.traced, head.count);
    return {
      title: pane.title,
      caption: pane.caption,
      shows: pane.shows,
      positions: pane.positions ? view(pane.positions).data : room(head.count),
      arrows: pane.arrows ? arrows(pane.arrows) : null,
      lines: pane.lines ? view(pane.lines) : traced && head.dim === 2 ? { data: room(traced), shape: [traced, head.frames] } : null,
      counted: {},
    };
  });
  // In one dimension the second coordinate only spreads the dots, so that they can be told apart.
  if (head.dim === 1)
    for (const { positions } of panes)
      for (let k = 0; k < head.frames; k++) for (let i = 0; i < head.count; i++) positions[2 * (k * head.count + i) + 1] = (scramble(i) - 0.5) * 9000;
  const labels = head.labels ? view(head.labels).data : null;
  const law = head.live?.law;
  if (law?.kind === "cloud") Object.assign(law, { data: ends(law.data), ...(law.told ? { told: ends(law.told) } : {}) });
  if (law?.kind === "net") {
    const { at, shape } = law.weights, bytes = (law.net.precision === "float16" ? 2 : 4) * shape[0];
    law.weights = numbersOf(law.net, buffer.slice(start + at, start + at + bytes));
  }
  const live = head.live && { ...head.live, x0: ends(head.live.x0), x1: ends(head.live.x1), z: ends(head.live.z) };
  return { ...head, panes, labels, live, buffer, last: head.frames - 1 };
}

/**
 * Where time t lies on the scene's clock: the frame before it and the share of the way to the next.
 * @param {Scene} scene @param {number} t @returns {At}
 */
export function locate(scene, t) {
  const times = scene.times;
  let low = 0, high = scene.last - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] >= t) low = middle;
    else high = middle - 1;
  }
  return { frame: low, mix: clamp((times[low] - t) / (times[low] - times[low + 1]), 0, 1) };
}

/** @param {number[]} values @param {At} at */
export const between = (values, at) => values[at.frame] + (values[at.frame + 1] - values[at.frame]) * at.mix;

/**
 * Position of particle i in a pane, in the scene's units.
 * @param {Scene} scene @param {Pane} pane @param {number} i @param {At} at
 */
export function whereIs(scene, pane, i, at) {
  const [cx, cy, hx, hy] = scene.box, p = pane.positions, k = 2 * (at.frame * scene.count + i), n = k + 2 * scene.count;
  const x = p[k] + (p[n] - p[k]) * at.mix, y = p[k + 1] + (p[n + 1] - p[k + 1]) * at.mix;
  return [cx + (hx * x) / 32767, cy + (hy * y) / 32767];
}

/**
 * The filter (1 4 6 4 1)/16 along `length` numbers that lie `step` apart; the ends are repeated.
 * @param {Float32Array} values @param {Float32Array} line @param {number} start @param {number} length @param {number} step
 */
function smoothLine(values, line, start, length, step) {
  const last = length - 1;
  for (let i = 0; i < length; i++) line[i + 2] = values[start + i * step];
  line[0] = line[1] = line[2];
  line[length + 2] = line[length + 3] = line[last + 2];
  for (let i = 0; i < length; i++) values[start + i * step] = (line[i] + line[i + 4] + 4 * (line[i + 1] + line[i + 3]) + 6 * line[i + 2]) / 16;
}

/**
 * Smooth a count of `height` rows of `width` cells: so many passes along the rows, so many down the columns.
 * @param {Float32Array} values @param {number} width @param {number} height @param {number} across @param {number} down
 */
function blur(values, width, height, across, down) {
  const line = new Float32Array(Math.max(width, height) + 4);
  for (let pass = 0; pass < across; pass++) for (let y = 0; y < height; y++) smoothLine(values, line, y * width, width, 1);
  for (let pass = 0; pass < down; pass++) for (let x = 0; x < width; x++) smoothLine(values, line, x, height, width);
}

/** @param {Float32Array} values @param {number} peak */
function rootBytes(values, peak) {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) bytes[i] = Math.round(255 * Math.sqrt(values[i] / peak));
  return bytes;
}

/** Cells a side of the plane's marginal. */
export const CELLS = 64;
/** Bins of a coordinate's. */
export const BINS = 128;

/**
 * The slices of frames that were worked out, each when it is first asked for.
 * @template T @param {(k: number) => T} make
 */
function lazily(make) {
  /** @type {T[]} */
  const made = [];
  return (/** @type {number} */ k) => (made[k] ??= make(k));
}

/**
 * The background over the plane: the particles counted in 64 × 64 cells and smoothed.
 * @param {Scene} scene @param {Pane} pane @returns {Field}
 */
export function planeField(scene, pane) {
  if (pane.counted.plane) return pane.counted.plane;
  const [left, right, bottom, top] = scene.bounds, [cx, cy, hx, hy] = scene.box;
  const sx = (hx / 32767 / (right - left)) * CELLS, ox = ((cx - left) / (right - left)) * CELLS;
  const sy = (hy / 32767 / (top - bottom)) * CELLS, oy = ((cy - bottom) / (top - bottom)) * CELLS;
  const p = pane.positions;
  const slice = lazily((k) => {
    const cells = new Float32Array(CELLS * CELLS);
    for (let i = 2 * k * scene.count; i < 2 * (k + 1) * scene.count; i += 2) {
      const x = Math.floor(ox + sx * p[i]), y = Math.floor(oy + sy * p[i + 1]);
      if (x >= 0 && x < CELLS && y >= 0 && y < CELLS) cells[y * CELLS + x]++;
    }
    blur(cells, CELLS, CELLS, 2, 2);
    return rootBytes(cells, cells.reduce((a, b) => Math.max(a, b), 1e-9));
  });
  return (pane.counted.plane = { slice, shape: [scene.frames, CELLS, CELLS] });
}

/**
 * The particles of every frame counted in bins of one coordinate, and smoothed: bytes of [frames, BINS].
 * @param {Scene} scene @param {Pane} pane @param {number} coordinate
 */
function timeColumns(scene, pane, coordinate) {
  const low = scene.bounds[2 * coordinate], high = scene.bounds[2 * coordinate + 1];
  const half = scene.box[2 + coordinate], centre = scene.box[coordinate];
  const scale = (half / 32767 / (high - low)) * BINS, offset = ((centre - low) / (high - low)) * BINS;
  const counts = new Float32Array(scene.frames * BINS), p = pane.positions;
  for (let k = 0; k < scene.frames; k++)
    for (let i = 2 * k * scene.count + coordinate; i < 2 * (k + 1) * scene.count; i += 2) {
      const bin = Math.floor(offset + scale * p[i]);
      if (bin >= 0 && bin < BINS) counts[k * BINS + bin]++;
    }
  blur(counts, BINS, scene.frames, 3, 0);
  return rootBytes(counts, counts.reduce((a, b) => Math.max(a, b), 1e-9));
}

/**
 * The marginal of one coordinate over time as an image with equal steps of t, noise at the left: [1, H, W].
 * @param {Scene} scene @param {Pane} pane @param {number} coordinate @returns {Field}
 */
export function timeField(scene, pane, coordinate) {
  const key = `time${coordinate}`;
  if (pane.counted[key]) return pane.counted[key];
  const frames = scene.frames;
  const height = BINS, columns = timeColumns(scene, pane, coordinate);
  const width = 2 * frames, data = new Uint8Array(width * height);
  const first = scene.times[0], span = first - scene.times[scene.last];
  for (let x = 0; x < width; x++) {
    const { frame, mix } = locate(scene, first - (span * (x + 0.5)) / width);
    for (let y = 0; y < height; y++) {
      const here = columns[frame * height + y], next = columns[(frame + 1) * height + y];
      data[y * width + x] = here + (next - here) * mix;
    }
  }
  return (pane.counted[key] = { slice: () => data, shape: [1, height, width] });
}
