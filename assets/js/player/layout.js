// Where everything lies: the panes' boxes in CSS and device pixels, and the maps from the plane into them.

import { clamp } from "./numbers.js";

/**
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./plan.js").View} View
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {{ x: number, y: number, w: number, h: number }} Box
 * @typedef {{ dpr: number, time: boolean, coordinate: number, first: number, end: number }} Seen
 */

/** Fit the panes and the canvases to the room there is. @param {Player} player */
export function layout(player) {
  const { stage, base, over } = player, width = stage.clientWidth;
  if (!width) return;
  stage.style.setProperty("--view", `${Math.round(viewHeight(player, width))}px`);
  // A picture or film is drawn finer than the page needs.
  player.dpr = Math.max(player.sharp, Math.min(devicePixelRatio || 1, player.renderer.name === "webgl2" ? 2 : 1.5));
  const outer = stage.getBoundingClientRect(), size = [Math.round(stage.clientWidth * player.dpr), Math.round(stage.clientHeight * player.dpr)];
  player.size = size;
  player.frames = player.boxes.map((box) => {
    const r = box.getBoundingClientRect();
    return { x: r.left - outer.left, y: r.top - outer.top, w: r.width, h: r.height };
  });
  if (base.width !== size[0] || base.height !== size[1]) player.renderer.resize(size[0], size[1]);
  // A canvas that is set back and then only cleared counts as not drawn on: a browser may go on showing what
  // was on it before, such as the axes of the last scene.
  if (over.width !== size[0] || over.height !== size[1]) {
    over.width = size[0];
    over.height = size[1];
  }
  player.mapViews();
  player.wake();
}

/** How high a pane is, in CSS pixels. @param {Player} player @param {number} width of the stage */
function viewHeight({ root, boxes, options, strip }, width) {
  const narrow = root.clientWidth < 520, number = boxes.length, full = document.fullscreenElement === root;
  root.classList.toggle("fm-narrow", narrow);
  root.classList.toggle("fm-tight", root.clientWidth < 780);
  // On a low screen the particles need the room that the curves would take.
  root.classList.remove("fm-low");
  if (full) {
    const high = (/** @type {string} */ part) => /** @type {HTMLElement} */ (root.querySelector(part)).offsetHeight;
    const room = () => (innerHeight - high(".fm-bar") - high(".fm-chips") - strip.card.offsetHeight - 90) / (narrow ? number : 1) - 56;
    if (room() < 0.5 * innerHeight) root.classList.add("fm-low");
    return Math.max(120, room());
  }
  if (narrow) return Math.min(0.92 * (width - 22), 420);
  const columns = Math.max(2, number), gap = 12, each = (width - gap * (columns - 1)) / columns - 26;
  return clamp(number === 3 ? each * 1.12 : each, 220, options.height || 460);
}

/**
 * The maps of one pane: of the plane, or of a coordinate over time.
 * @param {Box} frame @param {Scene} scene @param {Seen} seen
 * @returns {View}
 */
export function viewOf({ x, y, w, h }, scene, { dpr, time, coordinate: c, first, end }) {
  const [left, right, bottom, top] = scene.bounds, scale = Math.min(w / (right - left), h / (top - bottom));
  const plot = { left: 34, right: w - 14, top: 12, bottom: h - 24 }, span = first - end;
  const cssTimeX = (/** @type {number} */ t) => plot.left + ((first - t) / span) * (plot.right - plot.left);
  const { ox, oy, sx, sy, cssNorm, uv, fade } = time ? timeMap(scene, plot, c, dpr) : planeMap(scene, w, h, scale, dpr);
  return {
    x, y, w, h, plot, uv, fade, scale, cssTimeX, cssNorm,
    rect: [x, y, w, h].map((v) => Math.round(v * dpr)),
    norm: cssNorm.map((v) => v * dpr),
    timeX: (t) => cssTimeX(t) * dpr,
    cssY: (point) => oy + sy * point[time ? c : 1],
    css: (point, t) => (time ? [cssTimeX(t), oy + sy * point[c]] : [ox + sx * point[0], oy + sy * point[1]]),
    plane: (px, py) => (time ? [c ? 0 : (py - oy) / sy, c ? (py - oy) / sy : 0] : [(px - ox) / sx, (py - oy) / sy]),
    timeAt: (px) => clamp(first - (span * (px - plot.left)) / (plot.right - plot.left), end, first),
  };
}

/** @param {Scene} scene @param {View["plot"]} plot @param {number} c the coordinate @param {number} dpr */
function timeMap({ bounds, box }, plot, c, dpr) {
  const low = bounds[2 * c], high = bounds[2 * c + 1], sy = -(plot.bottom - plot.top) / (high - low), oy = plot.bottom - sy * low;
  const inner = (plot.right - plot.left) * dpr;
  return {
    ox: 0, oy, sx: 1, sy, fade: [0.02, 0.02],
    cssNorm: [0, oy + sy * box[c], 1, sy * box[2 + c]],
    uv: [(-plot.left * dpr) / inner, (-oy / sy - low) / (high - low), 1 / inner, 1 / (sy * (high - low) * dpr)],
  };
}

/** @param {Scene} scene @param {number} w @param {number} h @param {number} scale @param {number} dpr */
function planeMap({ bounds, box }, w, h, scale, dpr) {
  const [left, right, bottom, top] = bounds, wide = right - left, high = top - bottom, sx = scale, sy = -scale;
  const ox = w / 2 - (sx * (left + right)) / 2, oy = h / 2 - (sy * (bottom + top)) / 2;
  return {
    ox, oy, sx, sy,
    cssNorm: [ox + sx * box[0], oy + sy * box[1], sx * box[2], sy * box[3]],
    // The field ends where the plane was measured; the more room a pane has beyond, the softer.
    fade: [w / (scale * wide), h / (scale * high)].map((room) => clamp((room - 1) / 2, 0.02, 0.15)),
    uv: [(-ox / sx - left) / wide, (-oy / sy - bottom) / high, 1 / (sx * wide * dpr), 1 / (sy * high * dpr)],
  };
}
