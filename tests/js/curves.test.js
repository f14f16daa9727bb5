// Axes and values of the strip, and the paths of an answer.

import assert from "node:assert/strict";
import test from "node:test";

import { rangeOf, readout } from "../../assets/js/player/curves.js";
import { fixed, ticks } from "../../assets/js/player/numbers.js";
import { along } from "../../assets/js/player/probe.js";

/** @param {(number | null)[]} values @param {number[][] | null} [band] */
const curves = (values, band = null) => ({ label: "", caption: "", series: [{ name: "", role: "exact", values }], band, bandName: "" });

test("marks are round numbers within the axis", () => {
  assert.deepEqual(ticks(0, 1, 5), { values: [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1], digits: 1 });
  assert.deepEqual(ticks(-3, 3, 3), { values: [-2, 0, 2], digits: 0 });
  for (const [low, high] of [[0.001, 0.0042], [-1234, 999], [5, 5.3]]) {
    const { values } = ticks(low, high, 4);
    assert.ok(values.length >= 2 && values[0] >= low - 1e-9 && values[values.length - 1] <= high + 1e-9, `${values}`);
  }
});

test("an axis has room, and reaches zero where the curves nearly do", () => {
  assert.deepEqual(rangeOf(curves([1, 2])), [1 - 0.06, 2 + 0.06]);
  assert.deepEqual(rangeOf(curves([0.3, 1])), [0, 1.06]);
  assert.deepEqual(rangeOf(curves([1, 2], [[-1, 0], [1, 3]])), [-1.24, 3.24]);
  assert.deepEqual(rangeOf(curves([null, null])), [0, 1.06]);
});

test("values have three figures of the largest, and a true minus", () => {
  assert.equal(readout(0.12345, [0, 0.5]), "0.123");
  assert.equal(readout(-1.5, [-2, 2]), "−1.50");
  assert.equal(readout(3e-9, [0, 5e-9]), "3.00e−9");
  assert.equal(readout(null, [0, 1]), "–");
  assert.equal(fixed(-0.001), "0.00");
});

test("a path of an answer is found at any time, with its own times", () => {
  const path = [[0, 0], [1, 0], [1, 4]];
  assert.deepEqual(along(path, [1, 0.5, 0], 0.75), [0.5, 0]);
  assert.deepEqual(along(path, [1, 0.8, 0], 0.4), [1, 2]);
  assert.deepEqual(along(path, [1, 0.5, 0], 2), [0, 0]);
});
