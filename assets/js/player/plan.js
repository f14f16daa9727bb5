// The plan: how large and strong everything is drawn at one moment, which both renderers and the marks follow.

import { clamp } from "./numbers.js";
import { locate } from "./scene.js";

/**
 * @typedef {import("./scene.js").At} At
 * @typedef {import("./colour.js").Theme} Theme
 * @typedef {import("./player.js").Player} Player
 *
 * @typedef {object} View where a pane lies, and the maps from the plane into it
 * @property {number} x @property {number} y @property {number} w @property {number} h box in CSS pixels
 * @property {{ left: number, right: number, top: number, bottom: number }} plot the space–time view's
 * @property {number[]} rect the box in device pixels
 * @property {number[]} uv offset and scale from device pixels to the field
 * @property {number[]} fade of the field's edges
 * @property {number} scale CSS pixels of a unit
 * @property {number[]} norm offset and scale from int16 positions to device pixels
 * @property {number[]} cssNorm the same to CSS pixels
 * @property {(t: number) => number} cssTimeX @property {(t: number) => number} timeX
 * @property {(point: number[]) => number} cssY
 * @property {(point: number[], t: number) => number[]} css
 * @property {(px: number, py: number) => number[]} plane the plane's point under a pixel of the pane
 * @property {(px: number) => number} timeAt the time there
 *
 * @typedef {object} Plan
 * @property {import("./scene.js").Scene} scene @property {At} at @property {number} t
 * @property {boolean} time whether it is the space–time view @property {number} coordinate shown there
 * @property {Record<string, boolean>} layers @property {Theme} theme @property {View[]} panes
 * @property {number} trail frames @property {number} trailCount particles
 * @property {number} pointSize @property {number} pointAlpha @property {number} trailAlpha @property {number} trailWidth
 * @property {number} lineWidth @property {number} lineAlpha @property {number} pastAlpha @property {number} aheadAlpha
 * @property {number} round of the panes' corners
 *
 * @typedef {{ frame: number, from: number, to: number, fadeFrom: number, fadeTo: number }} Part
 */

/** How strongly the marginal is drawn. @param {Plan} plan */
export const fieldStrength = ({ theme, time }) => (theme.dark ? (time ? 0.3 : 0.2) : time ? 0.26 : 0.17);

/**
 * The pieces of a particle's path to draw: between frames, from share to share, fading.
 * @param {Pick<Plan, "at" | "time" | "trail" | "trailAlpha" | "pastAlpha" | "aheadAlpha">} plan
 * @param {number} last the last frame
 */
export function trailParts(plan, last) {
  const { frame, mix } = plan.at;
  /** @type {Part[]} */
  const parts = [];
  if (plan.time) {
    // In the space–time view the whole trajectory stands there; the part that was travelled is stronger.
    for (let k = 0; k < last; k++) {
      if (k < frame) parts.push({ frame: k, from: 0, to: 1, fadeFrom: plan.pastAlpha, fadeTo: plan.pastAlpha });
      else if (k > frame) parts.push({ frame: k, from: 0, to: 1, fadeFrom: plan.aheadAlpha, fadeTo: plan.aheadAlpha });
      else {
        parts.push({ frame: k, from: 0, to: mix, fadeFrom: plan.pastAlpha, fadeTo: plan.pastAlpha });
        parts.push({ frame: k, from: mix, to: 1, fadeFrom: plan.aheadAlpha, fadeTo: plan.aheadAlpha });
      }
    }
    return parts;
  }
  const head = frame + mix, tail = Math.max(0, head - plan.trail), fade = (/** @type {number} */ k) => plan.trailAlpha * clamp(1 - (head - k) / plan.trail, 0, 1) ** 1.5;
  for (let k = Math.floor(tail); k <= frame && k < last; k++) {
    const from = Math.max(0, tail - k), to = Math.min(1, head - k);
    if (to > from) parts.push({ frame: k, from, to, fadeFrom: fade(k + from), fadeTo: fade(k + to) });
  }
  return parts;
}

/** The plan of what a player shows now. @param {Player & { scene: import("./scene.js").Scene }} player @returns {Plan} */
export function planOf(player) {
  const { scene, theme, time, dpr } = player, dark = theme.dark;
  const dense = Math.sqrt(2000 / Math.max(600, scene.count)), most = Math.max(1, ...scene.panes.map((pane) => pane.lines?.shape[0] ?? 1));
  const trail = Math.max(0.8, player.trailShare * scene.last), pieces = time ? scene.last : Math.ceil(trail) + 1;
  return {
    scene, at: locate(scene, player.t), t: player.t, time, coordinate: player.coordinate, layers: player.layers, theme, panes: player.views, trail,
    trailCount: time ? Math.min(300, scene.count) : Math.floor(player.renderer.budget / pieces),
    pointSize: dpr * clamp(3.3 * dense ** 0.45, 1.5, 3.8),
    pointAlpha: clamp(0.92 * dense ** 0.3, 0.4, 0.92),
    trailAlpha: (dark ? 0.5 : 0.42) * clamp(dense, 0.25, 1),
    trailWidth: Math.max(1, 0.9 * dpr),
    lineWidth: Math.max(1, 0.8 * dpr),
    lineAlpha: clamp(14 / Math.sqrt(most), 0.12, 0.6) * (dark ? 0.55 : 0.5),
    pastAlpha: dark ? 0.62 : 0.55,
    aheadAlpha: dark ? 0.2 : 0.16,
    round: 10 * dpr,
  };
}
