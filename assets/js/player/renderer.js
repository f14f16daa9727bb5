// Which renderer draws: WebGL2 where a graphics card does it, else the 2-D canvas.

import { GlRenderer } from "./gl.js";
import { SoftRenderer } from "./soft.js";

/** @typedef {GlRenderer | SoftRenderer} Renderer */

/** A canvas in the place of another: one that has given one kind of context never gives another. @param {HTMLCanvasElement} canvas */
export function fresh(canvas) {
  const made = /** @type {HTMLCanvasElement} */ (canvas.cloneNode(false));
  canvas.replaceWith(made);
  return made;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string | null | undefined} wanted "webgl2", "canvas2d", or what suits the browser
 * @param {() => void} lost called when the WebGL context is taken away
 * @returns {{ renderer: Renderer, why: string }} and why it is not WebGL
 */
export function rendererFor(canvas, wanted, lost) {
  if (wanted === "canvas2d") return { renderer: new SoftRenderer(canvas), why: "" };
  try {
    const renderer = new GlRenderer(canvas, wanted === "webgl2");
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      lost();
    });
    return { renderer, why: "" };
  } catch (error) {
    return { renderer: new SoftRenderer(fresh(canvas)), why: error instanceof Error ? error.message : String(error) };
  }
}
