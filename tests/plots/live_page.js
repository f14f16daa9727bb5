// The script of a page with an engine, for the tests: it answers in a Worker, and gives the page what tests call.
import { Engine } from "./live/engine.js";
import { numbersOf } from "./live/net.js";
import { answer } from "./live/worker.js";

function lawOf(law) {
  if (law.kind === "net") return { ...law, weights: numbersOf(law.net, Uint8Array.from(atob(law.weights), (c) => c.charCodeAt(0)).buffer) };
  if (law.kind === "mixture") return law;
  return { ...law, data: Float32Array.from(law.data), told: law.told && Float32Array.from(law.told) };
}

async function followed(engine, { law, start, knots, tableau }, how) {
  const told = [];
  const { done, ...course } = engine.follow("picture", { law: lawOf(law), start: Float32Array.from(start), knots, tableau }, (k, x) => (told[k] = [...x]), how);
  return { ...course, ended: await done, told };
}

/** Velocities from one straight step, so long that the place before it does not count. */
async function velocities(engine, { law, at }) {
  const found = [];
  for (const { t, x } of at) {
    const { told } = await followed(engine, { law, start: x, knots: [t, t - 1e6], tableau: { a: [[]], b: [1], c: [0] } });
    found.push(told[1].map((y, i) => (x[i] - y) / 1e6));
  }
  return found;
}

if (globalThis.document) globalThis.tests = { Engine, followed, velocities };
else answer(globalThis);
