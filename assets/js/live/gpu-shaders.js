// The vertex shader that takes particles one Runge–Kutta stage along, and the velocities of the three kinds of law.

/** Texels in a row of a texture that is read as one long list. */
export const ROW = 1024;
/** Earlier slopes that a stage may read. */
export const SLOPES = 6;

const each = (/** @type {(k: number) => string} */ write, joint = "") => Array.from({ length: SLOPES }, (_, k) => write(k)).join(joint);

/** result = keep x + Σ outer_k k_k + own u(x + Σ inner_k k_k): a slope, or with the tableau's weights the next place. @param {string} law */
export const stage = (law) => `#version 300 es
precision highp float;
precision highp sampler2D;
layout(location = 0) in vec2 x;
${each((k) => `layout(location = ${k + 1}) in vec2 k${k};`)}
uniform float uInner[${SLOPES}], uOuter[${SLOPES}];
uniform float uKeep, uOwn;
uniform vec2 uShare;
uniform sampler2D uTable, uData;
out vec2 result;
vec4 number(int i) { return texelFetch(uTable, ivec2(i & ${ROW - 1}, i / ${ROW}), 0); }
vec4 datum(int i) { return texelFetch(uData, ivec2(i & ${ROW - 1}, i / ${ROW}), 0); }
vec2 turn(vec2 c, vec2 p) { return vec2(c.x * p.x - c.y * p.y, c.y * p.x + c.x * p.y); }
${law}
void main() {
  vec2 at = x + ${each((k) => `uInner[${k}] * k${k}`, " + ")}, u = vec2(0.0);
  if (uShare.x != 0.0) u += uShare.x * velocity(at, 0);
  if (uShare.y != 0.0) u += uShare.y * velocity(at, 1);
  result = uKeep * x + ${each((k) => `uOuter[${k}] * k${k}`, " + ")} + uOwn * u;
  gl_Position = vec4(0.0);
  gl_PointSize = 1.0;
}`;

export const NOTHING = `#version 300 es
precision highp float;
out vec4 colour;
void main() { colour = vec4(0.0); }`;

const PART = `
uniform ivec4 uRange;
struct Part { float constant; vec2 shift, drift; vec3 whiten; vec4 gain; };
Part part(int k) {
  vec4 one = number(3 * k), two = number(3 * k + 1);
  return Part(one.x, one.yz, two.zw, vec3(one.w, two.xy), number(3 * k + 2));
}
float square(Part p, vec2 d) {
  vec2 y = vec2(p.whiten.x * d.x + p.whiten.y * d.y, p.whiten.z * d.y);
  return dot(y, y);
}
vec2 gained(Part p, vec2 d) { return vec2(dot(p.gain.xy, d), dot(p.gain.zw, d)); }
`;

/** A term of size `size` in a sum of exponentials whose largest is taken out: its weight, and the sum so far scaled. */
const WEIGHED = `    if (size > most) {
      float keep = exp(most - size);
      total *= keep;
      sum *= keep;
      most = size;
    }
    float weight = exp(size - most);
    total += weight;
`;

// The weights are kept relative to the largest so far; what was summed before a larger one shrinks by it.
export const MIXTURE = `${PART}
vec2 velocity(vec2 at, int which) {
  float most = -3e38, total = 0.0;
  vec2 sum = vec2(0.0);
  int to = which == 0 ? uRange.y : uRange.w;
  for (int k = which == 0 ? uRange.x : uRange.z; k < to; k++) {
    Part p = part(k);
    vec2 d = at - p.shift;
    float size = p.constant - 0.5 * square(p, d);
${WEIGHED}    sum += weight * (p.drift + gained(p, d));
  }
  return sum / total;
}`;

// x − a x₀ as (x − x₀) + (1 − a) x₀: near t = 0, where σ is small, no digit of it is lost.
export const CLOUD = `${PART}
uniform int uParts;
uniform bool uStill;
uniform vec2 uRest, uDa;
vec2 velocity(vec2 at, int which) {
  float most = -3e38, total = 0.0;
  vec2 sum = vec2(0.0);
  int from = which == 0 ? uRange.x : uRange.z, to = which == 0 ? uRange.y : uRange.w;
  for (int k = 0; k < uParts; k++) {
    Part p = part(which * uParts + k);
    float least = 3e38, mass = 0.0;
    vec4 means = vec4(0.0);
    for (int i = from; i < to; i++) {
      vec2 x0 = datum(i).xy, d = (at - x0) + turn(uRest, x0) - p.shift;
      float size = square(p, d);
      if (size < least) {
        float keep = exp(0.5 * (size - least));
        mass *= keep;
        means *= keep;
        least = size;
      }
      float weight = exp(0.5 * (least - size));
      mass += weight;
      means += weight * vec4(x0, d);
    }
    means /= mass;
    float size = uStill ? p.constant : p.constant + log(mass) - 0.5 * least;
${WEIGHED}    sum += weight * (turn(uDa, means.xy) + p.drift + gained(p, means.zw));
  }
  return sum / total;
}`;

/**
 * A net of these sizes, in vectors of four: the table has the first layer's bias, the data frequencies and weights.
 * @param {{ waves: number, width: number, depth: number }} sizes
 */
export const netShader = ({ waves, width, depth }) => `
const int FEATURES = ${1 + 2 * waves}, WIDTH = ${width};
uniform bool uTranslated;
uniform vec2 uP, uQ, uA, uDa, uG;
uniform vec4 uBox;
vec4 h[${Math.max(1 + 2 * waves, width)}], g[${width}];
int dense(int start, int inputs, int outputs) {
  for (int o = 0; o < outputs; o++) {
    vec4 sum = datum(start++);
    for (int i = 0; i < inputs; i++, start += 4) {
      vec4 v = h[i];
      sum += vec4(dot(datum(start), v), dot(datum(start + 1), v), dot(datum(start + 2), v), dot(datum(start + 3), v));
    }
    g[o] = sum;
  }
  return start;
}
vec2 velocity(vec2 at, int which) {
  h[0] = vec4(at, 0.0, 0.0);
  for (int k = 0; k < ${waves}; k++) {
    // A card's sine is good within one turn.
    vec4 turns = datum(2 * k) * at.x + datum(2 * k + 1) * at.y, angle = ${2 * Math.PI} * (turns - round(turns));
    h[1 + k] = sin(angle);
    h[${1 + waves} + k] = cos(angle);
  }
  int start = dense(${2 * waves}, FEATURES, WIDTH);
  for (int o = 0; o < WIDTH; o++) g[o] += number(which * WIDTH + o);
  for (int layer = 1; layer <= ${depth}; layer++) {
    for (int o = 0; o < WIDTH; o++) h[o] = g[o] / (1.0 + exp(-g[o]));
    start = dense(start, WIDTH, layer < ${depth} ? WIDTH : 1);
  }
  vec2 y = g[0].xy;
  if (!uTranslated) return y;
  vec2 x0 = clamp(turn(uP, at) + turn(uQ, y), uBox.xy, uBox.zw);
  return turn(uDa, x0) + turn(uG, at - turn(uA, x0));
}`;
