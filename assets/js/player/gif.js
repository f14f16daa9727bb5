// A GIF of one sweep, made in the browser: a palette by median cut, frames as differences, LZW.

import { SWEEP, stopped } from "./clock.js";
import { composite } from "./exports.js";

/** @typedef {Uint8Array<ArrayBuffer> | Uint8ClampedArray<ArrayBuffer>} Pixels RGBA bytes */

const GIF_FRAMES = 40, GIF_HOLD = 80, GIF_WIDEST = 900, CLEAR = 255;

/**
 * A palette of at most 255 colours: the fullest box of colours is halved at its median.
 * @param {Pixels[]} images
 */
export function gifPalette(images) {
  const count = new Uint32Array(32768);
  for (const pixels of images) for (let i = 0; i < pixels.length; i += 4) count[((pixels[i] >> 3) << 10) | ((pixels[i + 1] >> 3) << 5) | (pixels[i + 2] >> 3)]++;
  /** @type {number[]} */
  const used = [];
  count.forEach((n, key) => n && used.push(key));
  const channel = (/** @type {number} */ key, /** @type {number} */ c) => (key >> (10 - 5 * c)) & 31;
  const box = (/** @type {number[]} */ keys) => {
    let widest = 0, width = -1, weight = 0;
    for (const key of keys) weight += Math.sqrt(count[key]);
    for (let c = 0; c < 3; c++) {
      let low = 31, high = 0;
      for (const key of keys) {
        low = Math.min(low, channel(key, c));
        high = Math.max(high, channel(key, c));
      }
      if (high - low > width) [width, widest] = [high - low, c];
    }
    return { keys, widest, worth: keys.length > 1 ? weight * width : 0 };
  };
  const boxes = [box(used)];
  while (boxes.length < CLEAR) {
    const best = boxes.reduce((a, b, i) => (b.worth > boxes[a].worth ? i : a), 0), { keys, widest, worth } = boxes[best];
    if (!worth) break;
    keys.sort((a, b) => channel(a, widest) - channel(b, widest));
    const half = keys.reduce((sum, key) => sum + Math.sqrt(count[key]), 0) / 2;
    let cut = 0;
    for (let sum = 0; cut < keys.length - 1 && sum < half; cut++) sum += Math.sqrt(count[keys[cut]]);
    boxes.splice(best, 1, box(keys.slice(0, Math.max(1, cut))), box(keys.slice(Math.max(1, cut))));
  }
  const colours = new Uint8Array(768), index = new Uint8Array(32768);
  boxes.forEach(({ keys }, k) => {
    let total = 0;
    const mean = [0, 0, 0];
    for (const key of keys) {
      total += count[key];
      // A cell's middle, but white and black stay themselves.
      for (let c = 0; c < 3; c++) mean[c] += (count[key] * channel(key, c) * 255) / 31;
      index[key] = k;
    }
    mean.forEach((sum, c) => (colours[3 * k + c] = Math.round(sum / total)));
  });
  return { colours, index };
}

/** Palette numbers packed by GIF's variable-length LZW, in blocks of at most 255 bytes. @param {Uint8Array} numbers */
export function gifPack(numbers) {
  const out = [8], table = new Map();
  /** @type {number[]} */
  const block = [];
  let size = 9, next = 258, bits = 0, held = 0;
  const flush = () => {
    out.push(block.length, ...block);
    block.length = 0;
  };
  const put = (/** @type {number} */ code) => {
    held |= code << bits;
    for (bits += size; bits >= 8; bits -= 8, held >>>= 8) if (block.push(held & 255) === 255) flush();
  };
  put(256);
  let run = numbers[0];
  for (let i = 1; i < numbers.length; i++) {
    const key = (run << 8) | numbers[i], known = table.get(key);
    if (known !== undefined) {
      run = known;
      continue;
    }
    put(run);
    if (next < 4096) {
      if (next === 1 << size) size++;
      table.set(key, next++);
    } else {
      put(256);
      table.clear();
      [size, next] = [9, 258];
    }
    run = numbers[i];
  }
  put(run);
  put(257);
  if (bits > 0) block.push(held & 255);
  if (block.length) flush();
  out.push(0);
  return Uint8Array.from(out);
}

/**
 * Frames of equal size as an endless GIF.
 * @param {number} width @param {number} height @param {Pixels[]} images
 * @param {number[]} delays in hundredths of a second
 */
export function encodeGif(width, height, images, delays) {
  const { colours, index } = gifPalette(images.filter((_, k) => k % 8 === 0 || k === images.length - 1)), word = (/** @type {number} */ v) => [v & 255, v >> 8];
  const parts = [
    Uint8Array.from([...new TextEncoder().encode("GIF89a"), ...word(width), ...word(height), 0xf7, 0, 0]), colours,
    Uint8Array.from([0x21, 0xff, 11, ...new TextEncoder().encode("NETSCAPE2.0"), 3, 1, 0, 0, 0]),
  ];
  // Colours of frames that the palette was not made from: the nearest of the palette.
  const known = new Uint8Array(32768);
  const nearest = (/** @type {number} */ key) => {
    if (known[key]) return index[key];
    const rgb = [key >> 10, (key >> 5) & 31, key & 31].map((v) => (v * 255) / 31);
    let best = 0, least = Infinity;
    for (let k = 0; k < CLEAR; k++) {
      const far = (colours[3 * k] - rgb[0]) ** 2 + (colours[3 * k + 1] - rgb[1]) ** 2 + (colours[3 * k + 2] - rgb[2]) ** 2;
      if (far < least) [least, best] = [far, k];
    }
    known[key] = 1;
    return (index[key] = best);
  };
  /** @type {Uint8Array | null} */
  let before = null;
  images.forEach((pixels, f) => {
    const numbers = new Uint8Array(width * height), shown = new Uint8Array(width * height);
    for (let i = 0, p = 0; i < numbers.length; i++, p += 4) {
      shown[i] = nearest(((pixels[p] >> 3) << 10) | ((pixels[p + 1] >> 3) << 5) | (pixels[p + 2] >> 3));
      numbers[i] = before && before[i] === shown[i] ? CLEAR : shown[i];
    }
    before = shown;
    parts.push(Uint8Array.from([0x21, 0xf9, 4, 5, ...word(delays[f]), CLEAR, 0, 0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0]), gifPack(numbers));
  });
  parts.push(Uint8Array.from([0x3b]));
  return new Blob(parts, { type: "image/gif" });
}

/**
 * One sweep from noise to data as a GIF, with a hold at the data, at the chosen speed.
 * @param {import("./player.js").Player & { scene: import("./scene.js").Scene }} player
 */
export function exportGif(player) {
  return stopped(player, async () => {
    const full = document.createElement("canvas"), small = document.createElement("canvas"), images = [];
    for (let k = 0; k < GIF_FRAMES; k++) {
      player.tell(`Drawing frame ${k + 1} of ${GIF_FRAMES} …`);
      player.t = player.first + ((player.end - player.first) * k) / (GIF_FRAMES - 1);
      player.draw();
      composite(player, full);
      const scale = Math.min(1, GIF_WIDEST / full.width);
      if (k === 0) [small.width, small.height] = [Math.round(full.width * scale), Math.round(full.height * scale)];
      const c = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d", { willReadFrequently: true }));
      c.drawImage(full, 0, 0, small.width, small.height);
      images.push(c.getImageData(0, 0, small.width, small.height).data);
      // The page breathes between two frames.
      await new Promise((resolve) => setTimeout(resolve));
      if (player.gone) throw new Error("The player was closed.");
    }
    player.tell("Packing the frames …");
    await new Promise((resolve) => setTimeout(resolve, 30));
    const delay = Math.max(2, Math.round(SWEEP / 10 / GIF_FRAMES / player.speed));
    return encodeGif(small.width, small.height, images, images.map((_, k) => (k === GIF_FRAMES - 1 ? GIF_HOLD : delay)));
  });
}
