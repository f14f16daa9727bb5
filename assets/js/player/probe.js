// The answer to a question about a point: a ring, the original paths through it, and their velocities.

import { field } from "../live/flow.js";
import { isQuick } from "../live/rework.js";
import { css } from "./colour.js";
import { arrow } from "./marks.js";
import { clamp } from "./numbers.js";

/**
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./plan.js").View} View
 * @typedef {{ pane: number, x: number, y: number, t: number }} Probe
 * @typedef {Probe & { paths?: number[][][], times?: number[], fan?: number[][], u?: number[], net?: number[], var?: number,
 *   pathPane?: number, opens?: boolean }} Answer
 * @typedef {{ c: CanvasRenderingContext2D, scene: Scene, view: View, plan: Plan, probe: Probe, place: number[], near: boolean }} Sight
 *   the probe in one pane: `place` on the canvas, `near` where the clock stands at its time
 */

/** Where a path of the answer is at time t; its points are at `times`, decreasing. @param {number[][]} path @param {number[]} times @param {number} t */
export function along(path, times, t) {
  let k = 0;
  while (k + 2 < times.length && times[k + 1] > t) k++;
  const share = clamp((times[k] - t) / (times[k] - times[k + 1]), 0, 1);
  return path[k].map((v, c) => v + (path[k + 1][c] - v) * share);
}

/**
 * The probe in pane `index`: a ring at once, and the answer when it has come.
 * @param {CanvasRenderingContext2D} c @param {Scene} scene @param {View} view @param {Plan} plan
 * @param {Probe} probe @param {Answer | null} answer @param {number} index
 */
export function drawProbe(c, scene, view, plan, probe, answer, index) {
  const [px, py] = view.css([probe.x, probe.y], probe.t), near = Math.abs(plan.t - probe.t) < 0.004;
  const sight = { c, scene, view, plan, probe, place: [view.x + px, view.y + py], near }, alone = scene.panes.length === 1;
  const ofPaths = index === (answer?.pathPane || 0);
  if (answer?.paths && (ofPaths || alone)) drawPaths(sight, answer.paths, answer.times);
  if (answer && (!plan.time || scene.dim === 1)) drawVelocities(sight, answer, !ofPaths || alone || plan.time);
  for (const { paint, width } of [{ paint: css(plan.theme.sunk, 0.9), width: 4 }, { paint: css(plan.theme.ink, near ? 1 : 0.55), width: 1.6 }]) {
    c.strokeStyle = paint;
    c.lineWidth = width;
    c.beginPath();
    c.arc(sight.place[0], sight.place[1], 5.5, 0, 7);
    c.stroke();
  }
}

/**
 * The velocity u under the pointer, where the browser knows it at once.
 * @param {CanvasRenderingContext2D} c @param {Scene} scene @param {View} view @param {Plan} plan
 * @param {{ pane: number, x: number, y: number }} pointer on the canvas
 */
export function drawHover(c, scene, view, plan, { pane, x: px, y: py }) {
  const { live } = scene, [x, y] = view.plane(px, py);
  if (!live || !isQuick(live) || plan.time || scene.panes[pane].shows !== "flow") return;
  const u = new Float64Array(2);
  field(live)(clamp(plan.t, 0.001, 0.999))(Float64Array.of(x, y), u);
  const probe = { pane, x, y, t: plan.t };
  drawVelocities({ c, scene, view, plan, probe, place: [view.x + px, view.y + py], near: true }, { ...probe, u: [...u] }, false);
}

/** @param {Sight} sight @param {number[][][]} paths @param {number[]} [given] their times */
function drawPaths({ c, view, plan, near }, paths, given) {
  const { theme } = plan, times = given || paths[0].map((_, s, all) => 1 - s / (all.length - 1));
  c.strokeStyle = css(theme.original, theme.dark ? 0.5 : 0.55);
  c.lineWidth = 0.9;
  c.beginPath();
  for (const path of paths)
    path.forEach((q, s) => {
      const [qx, qy] = view.css(q, times[s]);
      if (s) c.lineTo(view.x + qx, view.y + qy);
      else c.moveTo(view.x + qx, view.y + qy);
    });
  c.stroke();
  if (near) return;
  // Away from the probe's time the paths' own particles come into view: they meet at the ring.
  c.fillStyle = css(theme.ink, 0.75);
  c.beginPath();
  for (const path of paths) {
    const [qx, qy] = view.css(along(path, times, plan.t), plan.t);
    c.moveTo(view.x + qx + 1.8, view.y + qy);
    c.arc(view.x + qx, view.y + qy, 1.8, 0, 7);
  }
  c.fill();
}

/** How far an arrow reaches on the canvas, by its velocity. @param {Sight} sight @param {Answer} answer */
function reachOf({ view, plan, probe, place }, answer) {
  const all = [...(answer.fan || []), ...(answer.u ? [answer.u] : []), ...(answer.net ? [answer.net] : [])];
  const speeds = all.map((v) => Math.hypot(...v)).sort((p, q) => p - q);
  const longest = speeds[Math.floor(0.9 * (speeds.length - 1))] || 1, size = clamp(0.2 * Math.min(view.w, view.h), 36, 84);
  return (/** @type {number[]} */ v) => {
    if (!plan.time) return [(-v[0] * size) / longest, (v[1] * size) / longest];
    // In the space–time view a velocity is a slope: move by a small dt and see where the curve goes.
    const [qx, qy] = view.css([probe.x - 0.02 * v[0], 0], probe.t - 0.02);
    const dx = view.x + qx - place[0], dy = view.y + qy - place[1], grow = size / Math.hypot(dx, dy);
    return [dx * grow, dy * grow];
  };
}

/** @param {Sight} sight @param {Answer} answer @param {boolean} fans whether the paths' own velocities belong in this pane */
function drawVelocities(sight, answer, fans) {
  const { c, plan, place: [x, y], near } = sight, { theme } = plan, reach = reachOf(sight, answer);
  c.lineCap = "round";
  if (answer.fan && fans) {
    c.strokeStyle = css(theme.original, near ? 0.6 : 0.25);
    c.lineWidth = 1;
    c.beginPath();
    for (const v of answer.fan) {
      const [dx, dy] = reach(v);
      c.moveTo(x, y);
      c.lineTo(x + dx, y + dy);
    }
    c.stroke();
  }
  const arrows = [{ v: answer.net, role: "learned" }, { v: answer.u, role: "exact" }];
  for (const { v, role } of arrows) {
    if (!v) continue;
    const [dx, dy] = reach(v), long = Math.hypot(dx, dy), inner = Math.min(1, 6 / (long || 1));
    for (const { paint, width } of [{ paint: css(theme.sunk, 0.85), width: 5 }, { paint: css(theme[role], near ? 1 : 0.5), width: 2.6 }]) {
      c.strokeStyle = paint;
      c.lineWidth = width;
      c.beginPath();
      arrow(c, x + dx * inner, y + dy * inner, dx * (1 - inner), dy * (1 - inner), 8);
      c.stroke();
    }
  }
  c.lineCap = "butt";
}
