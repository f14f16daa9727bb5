// P where its field takes long: a net's, or a cloud's. An engine follows it while something is dragged, the newest
// job first; the server's own film comes when the finger is lifted.

import { knotsOf, lawOf, startOf } from "../live/flow.js";
import { Engine } from "../live/engine.js";
import { isQuick, place } from "../live/rework.js";

/**
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./scene.js").Scene} Scene
 */

/** One for all players of the page, made when the first drag asks for it. @type {Engine | null} */
let engine = null;

/** Whether an engine is needed for the flow of a scene. @param {Scene} scene */
const isSlow = ({ live, panes }) => live?.law && !isQuick(live) && panes.some(({ shows }) => shows === "flow");

/**
 * Take P along with what has been dragged.
 * @param {Player} player @param {Scene} scene
 * @param {(caption: string) => void} show told of what was computed, and before that of what comes
 */
export function chase(player, scene, show) {
  const { live } = scene, pane = scene.panes.find(({ shows }) => shows === "flow");
  if (!live || !pane || !isSlow(scene)) return;
  engine ??= new Engine();
  /** @type {Float32Array[]} */
  const walked = [], { name, b } = live.solver, cost = `${name}, NFE ${b.length * live.steps}`;
  const job = { law: lawOf(live), start: Float32Array.from(startOf(live)), knots: knotsOf(live), tableau: live.solver };
  const course = engine.follow(String(player.options.id), job, (k, x) => (walked[k] = x), { dragging: true });
  if (course.where === "cannot") return show("follows when you let go");
  const of = course.standIn ? "a few of the points stand in" : pane.caption.replace(/(, \w+)?, NFE .*/, "");
  void course.done.then((whole) => {
    if (!whole || player.scene !== scene) return;
    place(scene, pane, walked);
    show(`${of}, ${cost}`);
  });
}

/** Another scene has come. @param {Player} player */
export const leave = (player) => engine?.stop(String(player.options.id));
