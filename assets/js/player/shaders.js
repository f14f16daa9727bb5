// The WebGL2 renderer's shaders.

const PLACE = `
uniform vec2 uSize, uOffset, uScale, uTime;
uniform int uCoordinate;
vec2 place(vec2 q, float x) {
  if (uCoordinate < 0) return uOffset + uScale * q;
  return vec2(x, uOffset.y + uScale.y * (uCoordinate == 0 ? q.x : q.y));
}
vec4 clip(vec2 p) { return vec4(2.0 * p.x / uSize.x - 1.0, 1.0 - 2.0 * p.y / uSize.y, 0.0, 1.0); }
`;

export const POINT_VERTEX = `#version 300 es
layout(location = 0) in vec2 a;
layout(location = 1) in vec2 b;
layout(location = 2) in vec4 colour;
${PLACE}
uniform float uMix, uPoint;
out vec4 vColour;
void main() {
  gl_Position = clip(mix(place(a, uTime.x), place(b, uTime.y), uMix));
  gl_PointSize = uPoint + 1.0;
  vColour = colour;
}`;

export const POINT_FRAGMENT = `#version 300 es
precision highp float;
in vec4 vColour;
uniform float uPoint, uAlpha;
out vec4 result;
void main() {
  float away = length(gl_PointCoord - 0.5) * (uPoint + 1.0);
  float alpha = uAlpha * clamp(0.5 * uPoint + 0.5 - away, 0.0, 1.0);
  result = vec4(vColour.rgb * alpha, alpha);
}`;

// Six vertices a piece, without instances (which software and small cards draw one by one): the vertex's number
// tells the path, and the path's points are read from a texture, frame `uStep` and the next.
export const SEGMENT_VERTEX = `#version 300 es
precision highp isampler2D;
uniform isampler2D uPaths;
uniform sampler2D uColours;
uniform int uStep;
uniform bool uByPath, uTinted;
uniform vec3 uTint;
${PLACE}
uniform vec2 uPart, uFade;
uniform float uWidth;
out vec4 vColour;
out float vSide;
vec2 point(int path, int step) {
  return max(vec2(texelFetch(uPaths, uByPath ? ivec2(step, path) : ivec2(path, step), 0).xy) / 32767.0, -1.0);
}
void main() {
  int path = gl_VertexID / 6, corner = gl_VertexID % 6;
  corner = corner > 2 ? corner - 2 : corner;
  vec2 from = place(point(path, uStep), uTime.x), to = place(point(path, uStep + 1), uTime.y);
  vec2 p = mix(from, to, uPart.x), q = mix(from, to, uPart.y), along = q - p;
  float size = length(along), end = float(corner >> 1), side = float(corner & 1) * 2.0 - 1.0;
  along = size > 1e-3 ? along / size : vec2(1.0, 0.0);
  vSide = side * (0.5 * uWidth + 0.5);
  gl_Position = clip(mix(p, q, end) + vec2(-along.y, along.x) * vSide);
  vColour = vec4(uTinted ? uTint : texelFetch(uColours, ivec2(path, 0), 0).rgb, mix(uFade.x, uFade.y, end));
}`;

export const SEGMENT_FRAGMENT = `#version 300 es
precision highp float;
in vec4 vColour;
in float vSide;
uniform float uWidth;
out vec4 result;
void main() {
  float alpha = vColour.a * clamp(0.5 * uWidth + 0.5 - abs(vSide), 0.0, 1.0);
  result = vec4(vColour.rgb * alpha, alpha);
}`;

export const FIELD_VERTEX = `#version 300 es
uniform vec2 uSize;
out vec2 vPixel;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  vPixel = corner * uSize;
  gl_Position = vec4(2.0 * corner.x - 1.0, 1.0 - 2.0 * corner.y, 0.0, 1.0);
}`;

// Cubic B-spline over the cells by four linear look-ups: no lattice shows when 64 cells fill a pane.
export const FIELD_FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2DArray;
in vec2 vPixel;
uniform sampler2DArray uField;
uniform vec2 uSize, uUvOffset, uUvScale, uFade;
uniform float uLayer, uStrength, uRound;
uniform vec3 uInk;
out vec4 result;
float smoothAt(vec2 uv, float layer) {
  vec2 cells = vec2(textureSize(uField, 0).xy), at = uv * cells - 0.5, f = fract(at);
  at -= f;
  vec2 f2 = f * f, f3 = f2 * f;
  vec2 w0 = (1.0 - 3.0 * f + 3.0 * f2 - f3) / 6.0, w1 = (4.0 - 6.0 * f2 + 3.0 * f3) / 6.0;
  vec2 w3 = f3 / 6.0, w2 = 1.0 - w0 - w1 - w3, g0 = w0 + w1, g1 = w2 + w3;
  vec2 p0 = (at + w1 / g0 - 0.5) / cells, p1 = (at + w3 / g1 + 1.5) / cells;
  return g0.y * (g0.x * texture(uField, vec3(p0, layer)).r + g1.x * texture(uField, vec3(p1.x, p0.y, layer)).r)
       + g1.y * (g0.x * texture(uField, vec3(p0.x, p1.y, layer)).r + g1.x * texture(uField, vec3(p1, layer)).r);
}
void main() {
  vec2 uv = uUvOffset + uUvScale * vPixel;
  vec2 inside = smoothstep(vec2(0.0), uFade, uv) * smoothstep(vec2(0.0), uFade, 1.0 - uv);
  float low = floor(uLayer), value = smoothAt(uv, low);
  if (uLayer > low) value = mix(value, smoothAt(uv, low + 1.0), uLayer - low);
  vec2 corner = abs(vPixel - 0.5 * uSize) - 0.5 * uSize + uRound;
  float edge = clamp(uRound - length(max(corner, 0.0)) + 0.5, 0.0, 1.0);
  float alpha = uStrength * value * inside.x * inside.y * edge;
  result = vec4(uInk * alpha, alpha);
}`;
