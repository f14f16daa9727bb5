// Colours from what a particle is asked to tell.

import assert from "node:assert/strict";
import test from "node:test";

import { colourise, css, oklch } from "../../assets/js/player/colour.js";
import { scramble } from "../../assets/js/player/numbers.js";
import { readScene } from "../../assets/js/player/scene.js";
import { panes, sceneFile } from "./scenes.js";

const theme = { dark: false, classes: [[1, 2, 3], [4, 5, 6]], ink: [7, 8, 9], "ink-soft": [100, 100, 100] };

test("OKLCH gives the colours of its definition", () => {
  assert.deepEqual(oklch(1, 0, 0), [255, 255, 255]);
  assert.deepEqual(oklch(0, 0, 0.3), [0, 0, 0]);
  // Björn Ottosson's table: pure sRGB red is L 0.62796, C 0.25768, h 29.2339°.
  const [r, g, b] = oklch(0.62796, 0.25768, 29.2339 / 360);
  assert.ok(r >= 254 && g <= 1 && b <= 1, `${[r, g, b]}`);
});

test("css writes an alpha", () => assert.equal(css([1, 2, 3], 0.5), "rgba(1,2,3,0.5)"));

test("a class's colour comes from its label, one colour is the ink", () => {
  const scene = readScene(sceneFile({ labels: [1, 2] })), [pane] = scene.panes;
  assert.deepEqual([...colourise(scene, pane, "class", theme)], [4, 5, 6, 255, 1, 2, 3, 255]);
  assert.deepEqual([...colourise(scene, pane, "plain", theme)], [7, 8, 9, 255, 7, 8, 9, 255]);
});

test("opposite particles have opposite hues, and the same ones in every pane", () => {
  const scene = readScene(sceneFile({ positions: [[0, 0, 0, 0], [0, 0, 0, 0], [9000, 0, -9000, 0]] })), [pane] = scene.panes;
  const hues = colourise(scene, pane, "end", theme), at = (/** @type {number} */ turn) => oklch(0.6, 0.15, turn);
  // Both lie 9000 from the middle, so both pale by 0.22 exp(−(1/0.7)²).
  const pale = 0.22 * Math.exp(-((1 / 0.7) ** 2)), paled = (/** @type {number[]} */ rgb) => rgb.map((v) => Math.trunc(v + (100 - v) * pale));
  assert.deepEqual([...hues.subarray(0, 3)], paled(at(0)));
  assert.deepEqual([...hues.subarray(4, 7)], paled(at(0.5)));
});

test("on a line colour tells the order", () => {
  const line = (/** @type {number[]} */ row) => {
    const scene = readScene(sceneFile({ dim: 1, positions: panes(3, row) }));
    return colourise(scene, scene.panes[0], "end", theme);
  };
  const rising = line([-5, 0, 5, 0]), falling = line([5, 0, -5, 0]);
  assert.deepEqual([...rising.subarray(0, 4)], [...falling.subarray(4, 8)]);
  assert.notDeepEqual([...rising.subarray(0, 4)], [...rising.subarray(4, 8)]);
});

test("identities are spread evenly", () => {
  const tenths = new Array(10).fill(0);
  for (let i = 0; i < 10000; i++) tenths[Math.floor(10 * scramble(i))]++;
  // 1000 ± 30 expected of each; five standard errors.
  for (const n of tenths) assert.ok(Math.abs(n - 1000) < 150, `${tenths}`);
});
