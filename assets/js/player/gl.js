// The WebGL2 renderer. One buffer of int16 positions per pane; frames k and k+1 are two attribute pointers into
// it and the vertex shader mixes them, so scrubbing moves an offset and sends nothing.

import { isSoftware } from "../live/gpu.js";
import { planeField, timeField } from "./scene.js";
import { FIELD_FRAGMENT, FIELD_VERTEX, POINT_FRAGMENT, POINT_VERTEX, SEGMENT_FRAGMENT, SEGMENT_VERTEX } from "./shaders.js";
import { fieldStrength, trailParts } from "./plan.js";

/**
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./scene.js").Pane} Pane
 * @typedef {import("./scene.js").Field} Field
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./plan.js").View} View
 * @typedef {{ program: WebGLProgram, at: Record<string, WebGLUniformLocation | null> }} Program
 * @typedef {{ texture: WebGLTexture, layers: number, frames: number, sent: Set<number> }} Sheet
 * @typedef {{ array: WebGLVertexArrayObject, positions: WebGLBuffer, colours: WebGLBuffer | null, hues: WebGLTexture | null,
 *   paths: WebGLTexture, lines: WebGLTexture | null, textures: Record<string, Sheet> }} Held what the device holds of a pane
 */

export class GlRenderer {
  /**
   * Throws where the browser gives no WebGL2 context, or one that runs on the CPU: there the 2-D canvas draws
   * the same picture many times faster. `insist` takes it even so.
   * @param {HTMLCanvasElement} canvas
   */
  constructor(canvas, insist = false) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, premultipliedAlpha: true, powerPreference: "high-performance", failIfMajorPerformanceCaveat: !insist });
    if (!gl) throw new Error("This browser gave no WebGL2 context on a graphics card.");
    this.canvas = canvas;
    this.gl = gl;
    this.name = "webgl2";
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    this.device = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
    const software = isSoftware(this.device);
    if (software && !insist) {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
      throw new Error("WebGL would run on the CPU here, where the 2-D canvas is faster.");
    }
    // Quads of trails per frame and pane; a software device pays for each on the CPU.
    this.budget = software ? 30000 : 400000;
    this.points = this.program(POINT_VERTEX, POINT_FRAGMENT);
    this.segments = this.program(SEGMENT_VERTEX, SEGMENT_FRAGMENT);
    this.fields = this.program(FIELD_VERTEX, FIELD_FRAGMENT);
    this.empty = gl.createVertexArray();
    /** @type {Held[]} */
    this.held = [];
    // Trails are drawn for as many particles as one row of a texture holds.
    this.traced = 0;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** @param {string} vertex @param {string} fragment @returns {Program} */
  program(vertex, fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(`WebGL: ${gl.getProgramInfoLog(program)}`);
    /** @type {Program["at"]} */
    const at = {};
    for (let i = 0; i < (gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) || 0); i++) {
      const name = gl.getActiveUniform(program, i)?.name ?? "";
      at[name] = gl.getUniformLocation(program, name);
    }
    return { program, at };
  }

  /** @param {Int16Array | Uint8Array} data */
  buffer(data) {
    const gl = this.gl, buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    return buffer;
  }

  free() {
    const gl = this.gl;
    for (const pane of this.held) {
      for (const buffer of [pane.positions, pane.colours]) if (buffer) gl.deleteBuffer(buffer);
      for (const texture of [pane.paths, pane.lines, pane.hues]) if (texture) gl.deleteTexture(texture);
      for (const { texture } of Object.values(pane.textures)) gl.deleteTexture(texture);
      gl.deleteVertexArray(pane.array);
    }
    this.held = [];
  }

  /** @param {Scene} scene */
  load(scene) {
    this.free();
    const most = this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE), { count, frames } = scene;
    this.traced = Math.min(count, most);
    this.held = scene.panes.map((pane) => ({
      array: this.gl.createVertexArray(),
      positions: this.buffer(pane.positions),
      colours: null,
      hues: null,
      paths: this.table(pane.positions, this.traced, Math.min(frames, most), count),
      lines: pane.lines ? this.table(pane.lines.data, pane.lines.shape[1], Math.min(pane.lines.shape[0], most), pane.lines.shape[1]) : null,
      textures: {},
    }));
  }

  /**
   * A texture of pairs of int16, read texel by texel; `stride` is the length of a row in the data.
   * @param {Int16Array} data @param {number} width @param {number} height @param {number} stride
   */
  table(data, width, height, stride) {
    const gl = this.gl, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RG16I, width, height);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, stride);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RG_INTEGER, gl.SHORT, data);
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, 0);
    this.nearest();
    return texture;
  }

  nearest() {
    const gl = this.gl;
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  }

  /** @param {Uint8Array[]} tables the particles' colours, for each pane */
  colour(tables) {
    this.held.forEach((pane, i) => {
      const gl = this.gl;
      if (pane.colours) gl.deleteBuffer(pane.colours);
      if (pane.hues) gl.deleteTexture(pane.hues);
      pane.colours = this.buffer(tables[i]);
      pane.hues = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, pane.hues);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, this.traced, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, tables[i]);
      this.nearest();
    });
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** @param {Held} pane @param {string} key @param {Field} field */
  texture(pane, key, field) {
    if (pane.textures[key]) return pane.textures[key];
    const gl = this.gl, [frames, height, width] = field.shape, most = gl.getParameter(gl.MAX_ARRAY_TEXTURE_LAYERS);
    const layers = Math.min(frames, most), texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, gl.R8, width, height, layers);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D_ARRAY, name, gl.LINEAR);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D_ARRAY, name, gl.CLAMP_TO_EDGE);
    return (pane.textures[key] = { texture, layers, frames, sent: new Set() });
  }

  /**
   * Send a layer of the bound texture to the device, the first time that it is drawn.
   * @param {Sheet} held @param {Field} field @param {number} layer
   */
  send(held, field, layer) {
    if (held.sent.has(layer)) return;
    held.sent.add(layer);
    const gl = this.gl, [frames, height, width] = field.shape, { layers } = held;
    const slice = field.slice(layers === frames ? layer : Math.round((layer * (frames - 1)) / (layers - 1)));
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, layer, width, height, 1, gl.RED, gl.UNSIGNED_BYTE, slice);
  }

  /** @param {Plan} plan */
  draw(plan) {
    const gl = this.gl;
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    plan.panes.forEach((view, i) => {
      const [x, y, w, h] = view.rect, bottom = this.canvas.height - y - h;
      gl.viewport(x, bottom, w, h);
      gl.scissor(x, bottom, w, h);
      this.pane(plan, view, this.held[i], plan.scene.panes[i]);
    });
  }

  /** @param {Plan} plan @param {View} view @param {Held} held @param {Pane} pane */
  pane(plan, view, held, pane) {
    const { layers } = plan;
    if (layers.field) this.field(plan, view, held, pane);
    this.gl.bindVertexArray(held.array);
    if (layers.lines && pane.lines && held.lines) this.lines(plan, view, held, pane.lines.shape);
    if (layers.trails) this.trails(plan, view, held);
    if (layers.particles) this.particles(plan, view, held);
    this.gl.bindVertexArray(null);
  }

  /** Take a program up for a pane. @param {Program} program @param {Plan} plan @param {View} view */
  use({ program, at }, plan, view) {
    const gl = this.gl;
    gl.useProgram(program);
    gl.uniform2f(at.uSize, view.rect[2], view.rect[3]);
    gl.uniform2f(at.uOffset, view.norm[0], view.norm[1]);
    gl.uniform2f(at.uScale, view.norm[2], view.norm[3]);
    gl.uniform1i(at.uCoordinate, plan.time ? plan.coordinate : -1);
    return at;
  }

  /**
   * Take the program of segments up, for the paths of a texture.
   * @param {Plan} plan @param {View} view @param {Held} held @param {WebGLTexture | null} table
   * @param {number[] | null} tint one colour for all, or each path's own
   */
  paths(plan, view, held, table, tint) {
    const gl = this.gl, at = this.use(this.segments, plan, view);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, held.hues);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, table);
    gl.uniform1i(at.uPaths, 0);
    gl.uniform1i(at.uColours, 1);
    gl.uniform1i(at.uByPath, tint ? 1 : 0);
    gl.uniform1i(at.uTinted, tint ? 1 : 0);
    if (tint) gl.uniform3f(at.uTint, tint[0] / 255, tint[1] / 255, tint[2] / 255);
    gl.uniform1f(at.uWidth, tint ? plan.lineWidth : plan.trailWidth);
    return at;
  }

  /** @param {Plan} plan @param {View} view @param {Held} held @param {number[]} shape lines, points of each */
  lines(plan, view, held, [number, points]) {
    const gl = this.gl, at = this.paths(plan, view, held, held.lines, plan.theme.original);
    gl.uniform2f(at.uPart, 0, 1);
    gl.uniform2f(at.uFade, plan.lineAlpha, plan.lineAlpha);
    for (let s = 0; s + 1 < points; s++) {
      gl.uniform1i(at.uStep, s);
      gl.uniform2f(at.uTime, view.timeX(1 - s / (points - 1)), view.timeX(1 - (s + 1) / (points - 1)));
      gl.drawArrays(gl.TRIANGLES, 0, 6 * Math.min(number, gl.getParameter(gl.MAX_TEXTURE_SIZE)));
    }
  }

  /** @param {Plan} plan @param {View} view @param {Held} held */
  trails(plan, view, held) {
    const gl = this.gl, at = this.paths(plan, view, held, held.paths, null), { times, last } = plan.scene;
    for (const part of trailParts(plan, last)) {
      gl.uniform1i(at.uStep, part.frame);
      gl.uniform2f(at.uTime, view.timeX(times[part.frame]), view.timeX(times[part.frame + 1]));
      gl.uniform2f(at.uPart, part.from, part.to);
      gl.uniform2f(at.uFade, part.fadeFrom, part.fadeTo);
      gl.drawArrays(gl.TRIANGLES, 0, 6 * Math.min(this.traced, plan.trailCount));
    }
  }

  /** @param {Plan} plan @param {View} view @param {Held} held */
  particles(plan, view, held) {
    const gl = this.gl, at = this.use(this.points, plan, view), x = view.timeX(plan.t), count = plan.scene.count;
    gl.bindBuffer(gl.ARRAY_BUFFER, held.positions);
    for (const [slot, frame] of [[0, plan.at.frame], [1, plan.at.frame + 1]]) {
      gl.enableVertexAttribArray(slot);
      gl.vertexAttribPointer(slot, 2, gl.SHORT, true, 4, 4 * count * frame);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, held.colours);
    gl.enableVertexAttribArray(2);
    gl.vertexAttribPointer(2, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    gl.uniform1f(at.uMix, plan.at.mix);
    gl.uniform2f(at.uTime, x, x);
    gl.uniform1f(at.uPoint, plan.pointSize);
    gl.uniform1f(at.uAlpha, plan.time ? 0.3 * plan.pointAlpha : plan.pointAlpha);
    gl.drawArrays(gl.POINTS, 0, count);
    if (!plan.time) return;
    gl.uniform1f(at.uPoint, 1.25 * plan.pointSize);
    gl.uniform1f(at.uAlpha, 1);
    gl.drawArrays(gl.POINTS, 0, Math.min(count, plan.trailCount));
  }

  /** @param {Plan} plan @param {View} view @param {Held} held @param {Pane} pane */
  field(plan, view, held, pane) {
    const gl = this.gl, time = plan.time, coordinate = plan.coordinate;
    const field = time ? timeField(plan.scene, pane, coordinate) : planeField(plan.scene, pane);
    const sheet = this.texture(held, time ? `time${coordinate}` : "plane", field), { texture, layers, frames } = sheet;
    const layer = time ? 0 : Math.fround(((plan.at.frame + plan.at.mix) * (layers - 1)) / Math.max(1, frames - 1));
    const { program, at: where } = this.fields, ink = plan.theme.ink;
    gl.useProgram(program);
    gl.bindVertexArray(this.empty);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    for (const k of [Math.floor(layer), Math.min(Math.floor(layer) + 1, layers - 1)]) this.send(sheet, field, k);
    gl.uniform1i(where.uField, 0);
    gl.uniform2f(where.uSize, view.rect[2], view.rect[3]);
    gl.uniform2f(where.uUvOffset, view.uv[0], view.uv[1]);
    gl.uniform2f(where.uUvScale, view.uv[2], view.uv[3]);
    gl.uniform2f(where.uFade, view.fade[0], view.fade[1]);
    gl.uniform1f(where.uLayer, layer);
    gl.uniform1f(where.uStrength, fieldStrength(plan));
    gl.uniform1f(where.uRound, plan.round);
    gl.uniform3f(where.uInk, ink[0] / 255, ink[1] / 255, ink[2] / 255);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.bindVertexArray(null);
  }

  dispose() {
    if (!this.gl.isContextLost()) this.free();
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
