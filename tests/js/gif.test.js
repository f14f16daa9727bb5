// A GIF taken apart again: its LZW codes decoded here, as the format describes them.

import assert from "node:assert/strict";
import test from "node:test";

import { encodeGif, gifPack, gifPalette } from "../../assets/js/player/gif.js";

/** Numbers of a GIF's image data: the size of a code, blocks, and LZW with its table. @param {Uint8Array} data */
function unpack(data) {
  assert.equal(data[0], 8);
  const bytes = [];
  let at = 1;
  for (; data[at]; at += data[at] + 1) bytes.push(...data.subarray(at + 1, at + 1 + data[at]));
  assert.equal(at, data.length - 1);
  /** @type {number[][]} */
  let table = [];
  /** @type {number[]} */
  const out = [];
  /** @type {number[] | null} */
  let before = null;
  let size = 9, bit = 0;
  for (;;) {
    let code = 0;
    for (let i = 0; i < size; i++, bit++) code |= ((bytes[bit >> 3] >> (bit & 7)) & 1) << i;
    if (code === 257) return out;
    if (code === 256) {
      table = Array.from({ length: 258 }, (_, i) => [i]);
      [size, before] = [9, null];
      continue;
    }
    /** @type {number[]} */
    const run = table[code] ?? [.../** @type {number[]} */ (before), /** @type {number[]} */ (before)[0]];
    if (before && table.length < 4096) table.push([...before, run[0]]);
    out.push(...run);
    before = run;
    if (table.length === 1 << size && size < 12) size++;
  }
}

test("packed numbers come back, also beyond a full table", () => {
  let state = 7;
  const random = () => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16) % 256;
  for (const count of [1, 2, 255, 20000]) {
    const noise = Uint8Array.from({ length: count }, random), flat = new Uint8Array(count).fill(9);
    assert.deepEqual(unpack(gifPack(noise)), [...noise]);
    assert.deepEqual(unpack(gifPack(flat)), [...flat]);
  }
});

test("few colours keep a palette of their own", () => {
  const pixels = Uint8ClampedArray.from([255, 255, 255, 255, 0, 0, 0, 255, 255, 0, 0, 255]), { colours, index } = gifPalette([pixels]);
  const of = (/** @type {number} */ r, /** @type {number} */ g, /** @type {number} */ b) => {
    const k = index[((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3)];
    return [...colours.subarray(3 * k, 3 * k + 3)];
  };
  assert.deepEqual([of(255, 255, 255), of(0, 0, 0), of(255, 0, 0)], [[255, 255, 255], [0, 0, 0], [255, 0, 0]]);
});

test("a file says its size, its delays and that it runs for ever", async () => {
  const frame = (/** @type {number} */ grey) => new Uint8ClampedArray(4 * 6).fill(grey);
  const file = new Uint8Array(await encodeGif(3, 2, [frame(0), frame(255)], [7, 300]).arrayBuffer()), view = new DataView(file.buffer);
  assert.equal(String.fromCharCode(...file.subarray(0, 6)), "GIF89a");
  assert.deepEqual([view.getUint16(6, true), view.getUint16(8, true)], [3, 2]);
  const application = 13 + 768;
  assert.equal(String.fromCharCode(...file.subarray(application + 3, application + 14)), "NETSCAPE2.0");
  assert.equal(view.getUint16(application + 16, true), 0);
  assert.equal(view.getUint16(application + 19 + 4, true), 7);
  assert.equal(file[file.length - 1], 0x3b);
});
