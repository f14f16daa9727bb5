// A page of one scene that plays without a network: the scene stands in it as base64. What the browser computes can be
// dragged here too: the path's numbers, the solver's steps, and the components of a mixture in the picture.

import { drag } from "./player/dragging.js";
import { Player } from "./player/player.js";
import { takeCurves } from "./player/resting.js";

/** Most steps that the slider offers. */
const MOST = 200;

/** @param {HTMLElement} element @param {import("./studio.js").How} how `given`: the player's options */
export function mount(element, { given }) {
  const dark = matchMedia("(prefers-color-scheme: dark)"), follow = () => document.body.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  const text = document.getElementById("scene")?.textContent ?? "", player = new Player(element, given);
  player.load(Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0)).buffer);
  takeCurves(player, given.measured);
  const live = player.scene?.live, sliders = document.createElement("div");
  sliders.className = "fm-offline";
  element.after(sliders);
  for (const [name, [low, high, label]] of Object.entries(live?.ranges ?? {}))
    sliders.append(slider(label, low, high, (high - low) / 200, live?.path.numbers[name] ?? low, (value) => drag(player, { numbers: { [name]: value } })));
  if (live?.law) sliders.append(slider("steps of the solver", 1, MOST, 1, live.steps, (steps) => drag(player, { steps })));
  const held = (/** @type {Event} */ event) => {
    const law = player.scene?.live?.law, { part, component } = /** @type {CustomEvent} */ (event).detail;
    if (law?.kind !== "mixture") return;
    event.preventDefault();
    if (!component) return;
    const [, x, y, xx, xy, yy] = component;
    /** @type {import("./live/mixture.js").Component} */
    const moved = { weight: law.data[part].weight, mean: [x, y], covariance: [xx, xy, xy, yy] };
    drag(player, { data: law.data.with(part, moved) });
  };
  document.addEventListener("fm-hold", held);
  return () => {
    document.removeEventListener("fm-hold", held);
    dark.removeEventListener("change", follow);
    sliders.remove();
    player.dispose();
  };
}

/** @param {string} label @param {number} low @param {number} high @param {number} step @param {number} value @param {(value: number) => void} act */
function slider(label, low, high, step, value, act) {
  const row = document.createElement("label"), range = document.createElement("input"), out = document.createElement("output");
  Object.assign(range, { type: "range", min: low, max: high, step, value });
  const say = () => (out.textContent = String(Number(Number(range.value).toFixed(2))));
  range.addEventListener("input", () => {
    say();
    act(Number(range.value));
  });
  say();
  row.append(label, range, out);
  return row;
}
