// The scene's file, the clock, and the marginals counted from particles.

import assert from "node:assert/strict";
import test from "node:test";

import { BINS, CELLS, between, locate, planeField, readScene, timeField, whereIs } from "../../assets/js/player/scene.js";
import { panes, sceneFile } from "./scenes.js";

test("positions are read back in the scene's units", () => {
  const scene = readScene(sceneFile({ positions: [[0, 0, 16384, -32767], [32767, 8192, -8192, 0], [0, 0, 0, 0]] }));
  assert.deepEqual(whereIs(scene, scene.panes[0], 0, { frame: 0, mix: 0 }), [0, 0]);
  // The box is twice as wide as the bounds −1 … 1, so 32767 stands for 2.
  assert.deepEqual(whereIs(scene, scene.panes[0], 0, { frame: 0, mix: 1 }), [2, (2 * 8192) / 32767]);
  assert.deepEqual(whereIs(scene, scene.panes[0], 1, { frame: 0, mix: 0.5 }), [(2 * 4096) / 32767, (-2 * 16383.5) / 32767]);
  assert.equal(scene.last, 2);
});

test("what is no scene, or of another version, is refused in words", () => {
  assert.throws(() => readScene(new Uint8Array([4, 0, 0, 0, 110, 111, 112, 101]).buffer), /not a scene/);
  assert.throws(() => readScene(sceneFile({ version: 1 })), /version/);
});

test("a time lies between two frames, whatever their distance", () => {
  const scene = readScene(sceneFile({ times: [1, 0.75, 0] }));
  assert.deepEqual(locate(scene, 1), { frame: 0, mix: 0 });
  assert.deepEqual(locate(scene, 0.875), { frame: 0, mix: 0.5 });
  assert.deepEqual(locate(scene, 0.25), { frame: 1, mix: 2 / 3 });
  assert.deepEqual(locate(scene, -1), { frame: 1, mix: 1 });
  assert.equal(between([1, 3, 11], { frame: 1, mix: 0.25 }), 5);
});

test("the plane's marginal is highest where the particles are, and nothing is lost in smoothing", () => {
  // Both particles in the cell right above the middle: bounds −1 … 1 in 64 cells, so cell 32 begins at 0.
  const scene = readScene(sceneFile({ positions: panes(3, [200, 200, 200, 200]) })), bytes = planeField(scene, scene.panes[0]).slice(0);
  assert.equal(bytes.indexOf(255), 32 * CELLS + 32);
  // Two passes of (1 4 6 4 1)/16 both ways: the row through the peak is the square of the binomials of 8, as roots.
  const eight = [1, 8, 28, 56, 70, 56, 28, 8, 1].map((n) => Math.round(255 * Math.sqrt(n / 70)));
  assert.deepEqual([...bytes.subarray(32 * CELLS + 28, 32 * CELLS + 37)], eight);
});

test("a coordinate's marginal runs from noise at the left to data at the right", () => {
  const low = -8192, high = 8192;
  const scene = readScene(sceneFile({ positions: [[low, 0, low, 0], [low, 0, low, 0], [high, 0, high, 0]] }));
  const { shape, slice } = timeField(scene, scene.panes[0], 0), [, height, width] = shape, bytes = slice(0);
  const peak = (/** @type {number} */ x) => Array.from({ length: height }, (_, y) => bytes[y * width + x]).reduce((best, v, y, all) => (v > all[best] ? y : best), 0);
  assert.equal(height, BINS);
  // ±8192 are ±1/2 of bounds −1 … 1: a quarter and three quarters of the bins.
  assert.ok(Math.abs(peak(0) - BINS / 4) <= 1);
  assert.ok(Math.abs(peak(width - 1) - (3 * BINS) / 4) <= 1);
});

test("on a line the second coordinate only spreads the dots", () => {
  const scene = readScene(sceneFile({ dim: 1 })), p = scene.panes[0].positions;
  assert.notEqual(p[1], p[3]);
  assert.deepEqual([p[1], p[3]], [p[5], p[7]]);
});
