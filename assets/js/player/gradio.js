// The player inside Gradio: its value is a scene's file, `overlay` the answer to a probe, its event carries a probe.

import { drag } from "./dragging.js";
import { Player } from "./player.js";
import { takeCurves } from "./resting.js";

/** @type {Set<Player>} */
const players = new Set();

/** Resolves when no player waits for a scene and the newest moves, at the latest after a second. */
export async function idle() {
  const wait = (/** @type {number} */ milliseconds) => new Promise((next) => setTimeout(next, milliseconds));
  const until = performance.now() + 1000, waits = () => [...players].some((player) => player.loading);
  if (!waits()) return;
  while (performance.now() < until && waits()) await wait(20);
  await wait(80);
}

/** A choice was made somewhere on the page. */
export const giveWay = () => players.forEach((player) => player.giveWay());

/** Let the players play that stand in one of these places. @param {string} places a selector */
export function play(places) {
  for (const player of players) if (player.root.closest(places)) player.setPlaying(true);
}

/** @param {HTMLElement} element @param {import("../studio.js").How} how `given`: the player's options */
export function mount(element, { props, watch, trigger, given }) {
  const root = element.querySelector(".fm-player") || element.appendChild(document.createElement("div"));
  const player = new Player(/** @type {HTMLElement} */ (root), {
    ...given, onProbe: (probe) => trigger("probe", probe), onRest: (asked) => trigger("rest", asked),
  });
  players.add(player);
  /** @type {string | null} */
  let shown = null;
  const take = () => {
    const file = props.value?.scene;
    if (!file || file.url === shown) return;
    shown = file.url;
    void player.fetch(file.url);
  };
  // An answer that opens a scene comes with it, before or after, and waits until it is there.
  const lay = () => {
    if (props.overlay === undefined) return;
    const answer = props.overlay, key = answer && [answer.pane, answer.x, answer.y, answer.t].join();
    if (key === player.laid) return;
    player.laid = key;
    if (!answer?.opens) return player.overlay(answer);
    player.later = answer;
    setTimeout(() => !player.loading && player.scene && player.open(), 100);
  };
  const all = () => {
    take();
    lay();
    takeCurves(player, props.measured);
  };
  const dragged = (/** @type {Event} */ event) => drag(player, /** @type {CustomEvent} */ (event).detail);
  document.addEventListener("fm-drag", dragged);
  for (const prop of ["value", "overlay", "measured"]) watch(prop, all);
  all();
  return () => {
    document.removeEventListener("fm-drag", dragged);
    players.delete(player);
    player.dispose();
  };
}
