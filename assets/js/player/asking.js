// A click on a pane: a question about its point, or a particle to follow.

import { nearest } from "./marks.js";
import { fixed } from "./numbers.js";
import { planOf } from "./plan.js";

/** Particles that are followed at once. */
const FOLLOWED = 2;

/** @typedef {import("./player.js").Loaded} Player */

/**
 * Ask about a point: the ring appears at once, the answer comes from Python as `overlay`.
 * @param {Player} player @param {number} pane @param {number} x @param {number} y @param {number} t
 */
export function ask(player, pane, x, y, t) {
  if (player.options.follow) return follow(player, pane, x, y, t);
  player.probed = { pane, x, y, t };
  player.answer = player.laid = null;
  player.setPlaying(false);
  player.seek(t);
  player.say.textContent = `Point ${fixed(x)}, ${fixed(y)} at t ${fixed(t)}`;
  player.options.onProbe?.({ pane, x, y, t });
}

/**
 * Follow the particle nearest to a point of a pane, or let it go: the last two that were chosen.
 * @param {Player} player @param {number} pane @param {number} x @param {number} y @param {number} t
 */
function follow(player, pane, x, y, t) {
  player.seek(t);
  const view = player.views[pane], [px, py] = view.css([x, y], t);
  const i = nearest(player.scene, player.scene.panes[pane], view, planOf(player), px, py, 24);
  if (i < 0) return;
  const had = player.followed.includes(i);
  player.followed = had ? player.followed.filter((j) => j !== i) : [...player.followed, i].slice(-FOLLOWED);
  player.say.textContent = `Particle ${i} ${had ? "let go" : "followed"}`;
  player.wake();
}
