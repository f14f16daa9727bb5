// Answers of assets/js/live for the cases of test_live.py: node live_cases.mjs CASES.json OUT.json
import fs from "node:fs";

import { field, flowFrames, moveAlong, originalFrames } from "../../assets/js/live/flow.js";
import { prepared, velocity } from "../../assets/js/live/mixture.js";
import { path } from "../../assets/js/live/path.js";

const [, , given, out] = process.argv;
const floats = (values) => (values ? Float32Array.from(values) : null);
const answers = JSON.parse(fs.readFileSync(given, "utf8")).map(({ live, t, x, times, moved, parts }) => {
  const flow = { ...live, x0: floats(live.x0), x1: floats(live.x1), z: floats(live.z) };
  const at = Float64Array.from(x), u = new Float64Array(at.length), log = new Float64Array(at.length / 2);
  velocity(prepared(flow.law.data, flow.law.source, path(flow.path)(t)), at, u, log);
  const again = new Float64Array(at.length);
  field(flow)(t)(at, again);
  const frames = { q: originalFrames(flow, times).map((f) => [...f]), p: flowFrames(flow, times).map((f) => [...f]) };
  if (moved) moveAlong(flow.x0, Int16Array.from(parts), flow.law.data, moved);
  return { u: [...u], again: [...again], log: [...log], ...frames, x0: [...flow.x0] };
});
fs.writeFileSync(out, JSON.stringify(answers));
