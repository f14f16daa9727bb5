// An element that has left the page leaves nothing behind: no observer, no listener on the window.

import assert from "node:assert/strict";
import test from "node:test";

import { mount as board } from "../../assets/js/board.js";
import { mount as film } from "../../assets/js/film.js";
import { mount as lessons } from "../../assets/js/lessons.js";
import { mount as plot } from "../../assets/js/plot.js";

/** What watches the page now. @type {Set<unknown>} */
const watching = new Set();

class Observer {
  observe() {
    watching.add(this);
  }

  disconnect() {
    watching.delete(this);
  }
}

/** Something of the page: whatever is asked of it is another one, and can be called. @returns {any} */
const anything = () => {
  const own = new Map();
  return new Proxy(function () {}, {
    get: (_, name) => {
      if (name === Symbol.toPrimitive) return () => 0;
      if (name === Symbol.iterator) return [][Symbol.iterator];
      if (!own.has(name)) own.set(name, anything());
      return own.get(name);
    },
    set: (_, name, value) => Boolean(own.set(name, value)),
    apply: anything,
    construct: () => anything(),
  });
};

/** An element whose parts are anything, three of each. */
const element = () => Object.assign(anything(), { querySelector: anything, querySelectorAll: () => [anything(), anything(), anything()] });

const listens = {
  addEventListener: (/** @type {string} */ name, /** @type {unknown} */ act) => watching.add(act),
  removeEventListener: (/** @type {string} */ name, /** @type {unknown} */ act) => watching.delete(act),
};
Object.assign(globalThis, {
  window: globalThis,
  document: { body: anything(), createElement: anything, ...listens },
  getComputedStyle: anything,
  ResizeObserver: Observer,
  MutationObserver: Observer,
  ...listens,
});

const shown = { board: JSON.stringify({ mode: "draw", strokes: [[[0, 0], [1, 1]]] }), film: null, lessons: null, plot: null };
const watches = { board: 3, film: 0, lessons: 1, plot: 2 };

for (const [name, mount] of Object.entries({ board, film, lessons, plot }))
  test(`${name} ends`, () => {
    /** @type {string[]} */
    const asked = [], key = /** @type {keyof typeof shown} */ (name), part = element();
    if (name === "film") part.querySelector = element;
    const end = mount(part, { given: { example: [], most: 16 }, props: { value: shown[key] }, watch: (prop) => asked.push(prop), trigger: () => {} });
    assert.equal(watching.size, watches[key]);
    assert.deepEqual(asked, name === "lessons" ? [] : ["value"]);
    end();
    assert.equal(watching.size, 0);
  });
