// A page of one scene that plays without a network: the scene stands in it as base64.

import { Player } from "./player/player.js";

/** @param {HTMLElement} element @param {import("./studio.js").How} how `given`: the player's options */
export function mount(element, { given }) {
  const dark = matchMedia("(prefers-color-scheme: dark)"), follow = () => document.body.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  const text = document.getElementById("scene")?.textContent ?? "", player = new Player(element, given);
  player.load(Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0)).buffer);
  return () => {
    dark.removeEventListener("change", follow);
    player.dispose();
  };
}
