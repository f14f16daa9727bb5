// What is drawn over the particles, on one 2-D canvas: axes, arrows, the particle under the pointer, the probe.

import { css } from "./colour.js";
import { fixed, ticks } from "./numbers.js";
import { whereIs } from "./scene.js";

/**
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./scene.js").Pane} Pane
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./plan.js").View} View
 * @typedef {CanvasRenderingContext2D} Pen
 */

export const FONT = "11px ui-sans-serif, system-ui, sans-serif";

/** A line with a head. @param {Pen} c @param {number} x0 @param {number} y0 @param {number} dx @param {number} dy @param {number} head */
export function arrow(c, x0, y0, dx, dy, head) {
  const size = Math.hypot(dx, dy);
  if (size < 0.5) return;
  const ux = dx / size, uy = dy / size, h = Math.min(head, 0.6 * size);
  c.moveTo(x0, y0);
  c.lineTo(x0 + dx, y0 + dy);
  c.moveTo(x0 + dx - h * (ux + 0.55 * uy), y0 + dy - h * (uy - 0.55 * ux));
  c.lineTo(x0 + dx, y0 + dy);
  c.lineTo(x0 + dx - h * (ux - 0.55 * uy), y0 + dy - h * (uy + 0.55 * ux));
}

/** The space–time view's grid, its names and the moment. @param {Pen} c @param {Scene} scene @param {View} view @param {Plan} plan */
export function drawAxes(c, scene, view, plan) {
  const { theme } = plan, { x, y, w, h, plot } = view;
  const low = scene.bounds[2 * plan.coordinate], high = scene.bounds[2 * plan.coordinate + 1];
  c.font = FONT;
  // The trajectories that leave the plot end above its axis.
  c.fillStyle = css(theme.sunk);
  c.fillRect(x, y + plot.bottom + 4, w, h - plot.bottom);
  c.lineWidth = 1;
  c.strokeStyle = css(theme["ink-faint"], 0.22);
  c.beginPath();
  for (const t of [0.75, 0.5, 0.25]) {
    const px = Math.round(x + view.cssTimeX(t)) + 0.5;
    c.moveTo(px, y + plot.top);
    c.lineTo(px, y + plot.bottom);
  }
  c.stroke();
  c.textBaseline = "alphabetic";
  c.textAlign = "center";
  c.fillStyle = css(theme["ink-soft"]);
  if (w > 260) for (const t of [0.75, 0.5, 0.25]) c.fillText(String(t), x + view.cssTimeX(t), y + h - 7);
  c.textAlign = "left";
  c.fillStyle = css(theme.noise);
  c.fillText("noise", x + plot.left, y + h - 7);
  c.textAlign = "right";
  c.fillStyle = css(theme.data);
  c.fillText("data", x + plot.right, y + h - 7);
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillStyle = css(theme["ink-soft"]);
  const marks = ticks(low, high, 5);
  for (const value of marks.values) {
    const py = y + view.cssY(plan.coordinate ? [0, value] : [value, 0]);
    if (py > y + 10 && py < y + plot.bottom - 8) c.fillText(fixed(value, marks.digits), x + 7, py);
  }
  c.setLineDash([3, 3]);
  c.strokeStyle = css(theme.ink, 0.55);
  c.beginPath();
  const now = Math.round(x + view.cssTimeX(plan.t)) + 0.5;
  c.moveTo(now, y + plot.top);
  c.lineTo(now, y + plot.bottom);
  c.stroke();
  c.setLineDash([]);
}

/**
 * The length that most velocities of a pane stay below, over all frames: one scale for all its arrows.
 * @param {import("./scene.js").Arrows} arrows
 */
function typicalSpeed(arrows) {
  if (arrows.typical) return arrows.typical;
  const v = arrows.vectors, speeds = [];
  const stride = 2 * Math.max(1, Math.floor(v.length / 40000));
  for (let i = 0; i + 1 < v.length; i += stride) speeds.push(Math.hypot(v[i], v[i + 1]));
  speeds.sort((p, q) => p - q);
  return (arrows.typical = speeds[Math.floor(0.9 * (speeds.length - 1))] || 1);
}

/**
 * The velocities on a grid.
 * @param {Pen} c @param {Scene} scene @param {import("./scene.js").Arrows} arrows @param {View} view @param {Plan} plan
 */
export function drawArrows(c, scene, arrows, view, plan) {
  const { points, vectors, role } = arrows, number = points.length / 2, [cx, cy, hx, hy] = scene.box;
  const spacing = Math.sqrt(((scene.bounds[1] - scene.bounds[0]) * (scene.bounds[3] - scene.bounds[2])) / number) * view.scale;
  const full = (0.85 * spacing) / typicalSpeed(arrows), here = 2 * plan.at.frame * number, next = here + 2 * number, m = plan.at.mix;
  c.strokeStyle = css(plan.theme[role], 0.8);
  c.lineWidth = 1.25;
  c.beginPath();
  for (let g = 0; g < 2 * number; g += 2) {
    const vx = vectors[here + g] + (vectors[next + g] - vectors[here + g]) * m, vy = vectors[here + g + 1] + (vectors[next + g + 1] - vectors[here + g + 1]) * m;
    const size = Math.hypot(vx, vy) * full, shrink = size > 1.3 * spacing ? (1.3 * spacing) / size : 1;
    const [px, py] = view.css([cx + (hx * points[g]) / 32767, cy + (hy * points[g + 1]) / 32767], plan.t);
    // −v: the way a particle moves on the page while t falls.
    arrow(c, view.x + px, view.y + py, -vx * full * shrink, vy * full * shrink, 4.5);
  }
  c.stroke();
}

/**
 * The index of the particle nearest to a point of the pane (CSS pixels), within `reach` pixels; −1 if none.
 * @param {Scene} scene @param {Pane} pane @param {View} view @param {Plan} plan
 * @param {number} px @param {number} py @param {number} reach
 */
export function nearest(scene, pane, view, plan, px, py, reach) {
  const p = pane.positions, from = 2 * plan.at.frame * scene.count, step = 2 * scene.count, m = plan.at.mix;
  const [ox, oy, sx, sy] = view.cssNorm, time = plan.time, k = plan.coordinate, tx = view.cssTimeX(plan.t);
  let best = reach * reach, found = -1;
  for (let i = 0; i < scene.count; i++) {
    const j = from + 2 * i;
    const x = time ? tx : ox + (sx * (p[j] + (p[j + step] - p[j]) * m)) / 32767;
    const l = time ? j + k : j + 1;
    const y = oy + (sy * (p[l] + (p[l + step] - p[l]) * m)) / 32767, away = (x - px) ** 2 + (y - py) ** 2;
    if (away < best) {
      best = away;
      found = i;
    }
  }
  return found;
}

/**
 * One particle picked out, or followed in a colour: its whole trajectory, and a ring where it is now.
 * @param {Pen} c @param {Scene} scene @param {Pane} pane @param {View} view @param {Plan} plan @param {number} i
 * @param {number[] | null} colour
 */
export function drawPicked(c, scene, pane, view, plan, i, colour = null) {
  const { theme } = plan;
  /** @type {number[][]} */
  const path = [];
  for (let k = 0; k <= scene.last; k++) {
    const at = k < scene.last ? { frame: k, mix: 0 } : { frame: k - 1, mix: 1 };
    path.push(view.css(whereIs(scene, pane, i, at), scene.times[k]));
  }
  const line = (/** @type {string} */ paint, /** @type {number} */ width) => {
    c.beginPath();
    for (const [x, y] of path) c.lineTo(view.x + x, view.y + y);
    c.strokeStyle = paint;
    c.lineWidth = width;
    c.stroke();
  };
  line(css(theme.sunk, 0.75), colour ? 5 : 3.5);
  line(colour ? css(colour) : css(theme.ink, 0.45), colour ? 2.2 : 1.2);
  const [px, py] = view.css(whereIs(scene, pane, i, plan.at), plan.t);
  c.beginPath();
  c.arc(view.x + px, view.y + py, colour ? 6.5 : 4.5, 0, 7);
  c.fillStyle = css(colour || theme.ink);
  c.strokeStyle = css(theme.sunk);
  c.lineWidth = 1.5;
  c.fill();
  c.stroke();
}

/** What stands under the pointer. @param {Pen} c @param {View} view @param {Plan} plan @param {{ x: number, y: number }} pointer */
export function drawReadout(c, view, plan, { x: px, y: py }) {
  const [x, y] = view.plane(px, py);
  c.font = FONT;
  c.textBaseline = "alphabetic";
  c.textAlign = "right";
  c.fillStyle = css(plan.theme["ink-soft"]);
  const text = plan.time ? `t ${fixed(view.timeAt(px))}   ${fixed(plan.coordinate ? y : x)}` : `(${fixed(x)}, ${fixed(y)})`;
  c.fillText(text, view.x + view.w - 10, view.y + (plan.time ? 22 : view.h - 9));
}

/** The cross that the keyboard moves. @param {Pen} c @param {View} view @param {Plan} plan @param {{ x: number, y: number }} aim */
export function drawAim(c, view, plan, aim) {
  const [px, py] = view.css([aim.x, aim.y], plan.t);
  c.strokeStyle = css(plan.theme.ink, 0.8);
  c.lineWidth = 1.2;
  c.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    c.moveTo(view.x + px + 4 * dx, view.y + py + 4 * dy);
    c.lineTo(view.x + px + 14 * dx, view.y + py + 14 * dy);
  }
  c.stroke();
}
