// What the export menu does: a file of the scene, and what went wrong in words.

import { download, exportPage, exportPicture } from "./exports.js";
import { exportFilm } from "./film.js";
import { exportGif } from "./gif.js";

/** @typedef {import("./player.js").Loaded} Player */

/** @type {Record<string, (player: Player) => Blob | Promise<Blob>>} */
const FILES = { html: exportPage, png: exportPicture, gif: exportGif, film: exportFilm };
/** @type {Record<string, string>} */
const ENDINGS = { "text/html": "html", "image/png": "png", "image/gif": "gif", "video/mp4": "mp4", "video/webm": "webm" };

/** Make a file and hand it over. @param {Player} player @param {string} kind "html", "png", "gif" or "film" */
export async function save(player, kind) {
  if (player.exporting) return;
  player.exporting = true;
  // What the pointer shows is for who holds it.
  player.pointer = null;
  if (kind === "png" || kind === "film") {
    player.sharp = kind === "png" || player.renderer.name === "webgl2" ? 2 : 1.5;
    player.layout();
  }
  try {
    const file = await FILES[kind](player);
    download(file, `flow-matching.${ENDINGS[file.type]}`);
  } catch (error) {
    player.tell(error instanceof Error ? error.message : String(error));
  }
  player.exporting = false;
  player.sharp = 0;
  player.layout();
}
