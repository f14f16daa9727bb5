// One drawing of the player: the particles, what lies over them, the curves, and what the bar says.

import { between } from "./scene.js";
import { drawAim, drawArrows, drawAxes, drawPicked, drawReadout, nearest } from "./marks.js";
import { fixed } from "./numbers.js";
import { planOf } from "./plan.js";
import { drawHover, drawProbe } from "./probe.js";

/**
 * @typedef {import("./player.js").Loaded} Player
 * @typedef {import("./plan.js").Plan} Plan
 */

/** Draw a player as it is now. @param {Player} player */
export function draw(player) {
  const plan = planOf(player), c = /** @type {CanvasRenderingContext2D} */ (player.over.getContext("2d")), { stage, dpr, scene } = player;
  player.frame = plan.at.mix >= 1 ? plan.at.frame + 1 : plan.at.frame;
  player.count++;
  player.renderer.draw(plan);
  c.setTransform(dpr, 0, 0, dpr, 0, 0);
  c.clearRect(0, 0, stage.clientWidth, stage.clientHeight);
  player.picked = picked(player, plan);
  plan.panes.forEach((_, i) => drawOver(c, player, plan, i));
  player.strip.draw(dpr, player.theme, player.t, scene);
  showTime(player, plan.at);
}

/** The particle under the pointer, or −1. @param {Player} player @param {Plan} plan */
function picked({ scene, pointer: p, views }, plan) {
  return p && !p.down && views[p.pane] ? nearest(scene, scene.panes[p.pane], views[p.pane], plan, p.x, p.y, 9) : -1;
}

/** What lies over the particles of pane i. @param {CanvasRenderingContext2D} c @param {Player} player @param {Plan} plan @param {number} i */
function drawOver(c, player, plan, i) {
  const { scene, theme, aim, pointer } = player, pane = scene.panes[i], view = plan.panes[i];
  c.save();
  c.beginPath();
  c.roundRect(view.x, view.y, view.w, view.h, 10);
  c.clip();
  if (plan.time) drawAxes(c, scene, view, plan);
  else if (plan.layers.arrows && pane.arrows) drawArrows(c, scene, pane.arrows, view, plan);
  player.followed.forEach((j, k) => drawPicked(c, scene, pane, view, plan, j, theme.classes[k]));
  if (player.picked >= 0) drawPicked(c, scene, pane, view, plan, player.picked);
  if (player.probed && (!plan.time || scene.dim === 1)) drawProbe(c, scene, view, plan, player.probed, player.answer, i);
  if (aim?.pane === i) drawAim(c, view, plan, aim);
  if (pointer?.pane !== i) return c.restore();
  if (!player.probed) drawHover(c, scene, view, plan, pointer);
  drawReadout(c, view, plan, pointer);
  c.restore();
}

/** Say the time in the bar, and to the page. @param {Player} player @param {import("./scene.js").At} at */
function showTime({ t, first, frame, scene: { a, b }, clock, slider, options }, at) {
  const text = `t = ${fixed(t)}`, value = first - t;
  if (clock.textContent !== text) clock.textContent = text;
  if (Math.abs(Number(slider.value) - value) > 1e-6) slider.value = String(value);
  slider.setAttribute("aria-valuetext", text);
  window.dispatchEvent(new CustomEvent("fm-clock", { detail: { t, a: between(a, at), b: between(b, at), frame, id: options.id || null } }));
}
