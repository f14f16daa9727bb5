// Answers of assets/js/live for the cases of test_live_laws.py: node live_law_cases.mjs CASES.json OUT.json
import fs from "node:fs";

import { fieldOf } from "../../assets/js/live/law.js";
import { numbersOf } from "../../assets/js/live/net.js";
import { walk } from "../../assets/js/live/walk.js";

const [, , given, out] = process.argv;

/** A law with its numbers as typed arrays. */
function lawOf(law) {
  if (law.kind === "net") return { ...law, weights: numbersOf(law.net, Uint8Array.from(Buffer.from(law.weights, "base64")).buffer) };
  if (law.kind === "mixture") return law;
  return { ...law, data: Float32Array.from(law.data), told: law.told && Float32Array.from(law.told) };
}

const answers = [];
for (const { law: written, at, start, knots, tableau } of JSON.parse(fs.readFileSync(given, "utf8"))) {
  const law = lawOf(written), field = fieldOf(law), dense = law.kind !== "net" && !law.told, answer = { u: [], log: [], ends: null };
  for (const { t, x } of at ?? []) {
    const place = Float64Array.from(x), u = new Float64Array(x.length), log = dense ? new Float64Array(x.length / 2) : null;
    field(t)(place, u, log);
    answer.u.push([...u]);
    answer.log.push(log && [...log]);
  }
  if (start)
    await walk({ law, start: Float32Array.from(start), knots, tableau }, (k, x) => { if (k === knots.length - 1) answer.ends = [...x]; }, () => false, 1e9);
  answers.push(answer);
}
fs.writeFileSync(out, JSON.stringify(answers));
