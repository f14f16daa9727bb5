// The graphics card as a back end of the engine: a draw for each Runge–Kutta stage, whose vertex shader computes the
// velocity and whose result is caught in a buffer (transform feedback). Steps go in batches of some milliseconds.

import { canShade, shaded } from "./gpu-laws.js";
import { NOTHING, ROW, SLOPES, stage } from "./gpu-shaders.js";
import { guidanceOf } from "./law.js";
import { trimmed } from "./walk.js";

/** @typedef {import("./walk.js").Job} Job */
/** @typedef {import("./walk.js").Told} Told */
/** @typedef {{ program: WebGLProgram, at: Record<string, WebGLUniformLocation | null> }} Program */

/** The card cannot, or can no more, be used. */
export class GpuRefused extends Error {}

/** Milliseconds of a batch of steps: more of them below the first, fewer above the second. */
const QUICK = 8, LONG = 24;
const MOST_AT_ONCE = 32;
const TAKEN = "The browser took the graphics card away.";

/** Whether a WebGL device is a program on the processor. @param {string} name */
export const isSoftware = (name) => /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);

export class OnGpu {
  /** Throws where there is no card; `insist` takes a software device, too. @param {boolean} insist */
  constructor(insist) {
    const gl = document.createElement("canvas").getContext("webgl2", { antialias: false, depth: false, powerPreference: "high-performance", failIfMajorPerformanceCaveat: !insist });
    if (!gl) throw new GpuRefused("This browser gave no WebGL2 context on a graphics card.");
    this.name = "GPU";
    this.gl = gl;
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    this.device = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
    if (!insist && isSoftware(this.device)) {
      this.dispose();
      throw new GpuRefused("WebGL would run on the processor here.");
    }
    /** By the velocity's text. @type {Map<string, Program>} */
    this.programs = new Map();
    this.feedback = gl.createTransformFeedback();
    gl.enable(gl.RASTERIZER_DISCARD);
  }

  /** @param {import("./law.js").Law} law */
  can(law) {
    return canShade(law) && !this.gl.isContextLost();
  }

  /** @param {Job} job @param {Told} told @returns {import("./engine.js").Running} */
  follow(job, told) {
    let stopped = false;
    return { done: this.run(job, told, () => stopped), stop: () => (stopped = true) };
  }

  /** @param {Job} job @param {Told} told @param {() => boolean} stopped @returns {Promise<number | null>} */
  async run(job, told, stopped) {
    const { knots, start } = job, walk = new Walk(this, job);
    let worked = 0;
    try {
      told(0, start.slice());
      for (let k = 1, many = 1; k < knots.length; ) {
        const since = performance.now(), last = Math.min(knots.length, k + many), came = walk.steps(k, last);
        await this.signalled();
        if (stopped()) return null;
        const x = new Float32Array((last - k) * start.length);
        this.gl.bindBuffer(this.gl.COPY_READ_BUFFER, came);
        this.gl.getBufferSubData(this.gl.COPY_READ_BUFFER, 0, x);
        this.gl.bindBuffer(this.gl.COPY_READ_BUFFER, null);
        if (this.gl.isContextLost()) throw new GpuRefused(TAKEN);
        for (let i = 0; i < last - k && !stopped(); i++) told(k + i, x.slice(i * start.length, (i + 1) * start.length));
        const passed = performance.now() - since;
        worked += passed;
        k = last;
        many = Math.min(MOST_AT_ONCE, Math.max(1, passed < QUICK ? 2 * many : passed > LONG ? many >> 1 : many));
      }
      return worked;
    } finally {
      walk.free();
    }
  }

  /** Wait, without blocking the page, until the card has done what was asked. */
  async signalled() {
    const gl = this.gl, sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    if (!sync) throw new GpuRefused(TAKEN);
    do await new Promise((done) => setTimeout(done));
    while (gl.clientWaitSync(sync, 0, 0) === gl.TIMEOUT_EXPIRED);
    gl.deleteSync(sync);
  }

  /** @param {string} glsl of the velocity @returns {Program} */
  program(glsl) {
    const known = this.programs.get(glsl);
    if (known) return known;
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, stage(glsl)], [gl.FRAGMENT_SHADER, NOTHING]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.transformFeedbackVaryings(program, ["result"], gl.INTERLEAVED_ATTRIBS);
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      const said = [gl.getProgramInfoLog(program), ...(gl.getAttachedShaders(program) ?? []).map((shader) => gl.getShaderInfoLog(shader))];
      throw new GpuRefused(`The velocity's shader does not link: ${said.join(" ")}`);
    }
    /** @type {Program["at"]} */
    const at = {};
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
      const name = gl.getActiveUniform(program, i)?.name ?? "";
      at[name] = gl.getUniformLocation(program, name);
    }
    const made = { program, at };
    this.programs.set(glsl, made);
    return made;
  }

  dispose() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** A job on the card: its buffers and textures, from its first step to its last. */
class Walk {
  /** @param {OnGpu} device @param {Job} job */
  constructor(device, job) {
    const gl = (this.gl = device.gl), size = 4 * job.start.length;
    this.feedback = device.feedback;
    this.job = job;
    this.tableau = trimmed(job.tableau);
    if (this.tableau.b.length > SLOPES + 1) throw new GpuRefused(`A card takes methods of at most ${SLOPES + 1} stages.`);
    this.law = shaded(job.law);
    this.program = device.program(this.law.glsl);
    const w = guidanceOf(job.law);
    this.share = [1 - w, w];
    const buffer = (/** @type {number | Float32Array} */ given) => {
      const made = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, made);
      if (typeof given === "number") gl.bufferData(gl.ARRAY_BUFFER, given, gl.DYNAMIC_COPY);
      else gl.bufferData(gl.ARRAY_BUFFER, given, gl.DYNAMIC_COPY);
      gl.bindBuffer(gl.ARRAY_BUFFER, null);
      return made;
    };
    /** Where the particles are, and where they will be. */
    this.places = [buffer(job.start), buffer(size)];
    this.slopes = this.tableau.b.slice(1).map(() => buffer(size));
    this.came = buffer(size * Math.min(MOST_AT_ONCE, job.knots.length));
    this.data = this.texture();
    this.fill(this.law.data.numbers, this.law.data.channels);
    this.table = this.texture();
  }

  texture() {
    const gl = this.gl, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    return texture;
  }

  /** Numbers as the bound texture. @param {Float32Array} numbers @param {number} channels */
  fill(numbers, channels) {
    const gl = this.gl, count = numbers.length / channels, width = Math.min(ROW, count), height = Math.ceil(count / width);
    const whole = new Float32Array(width * height * channels);
    whole.set(numbers);
    gl.texImage2D(gl.TEXTURE_2D, 0, channels === 2 ? gl.RG32F : gl.RGBA32F, width, height, 0, channels === 2 ? gl.RG : gl.RGBA, gl.FLOAT, whole);
  }

  /** Take the steps to some knots; the places at them come in the buffer that is returned. @param {number} from @param {number} to */
  steps(from, to) {
    const gl = this.gl, size = 4 * this.job.start.length, { at, program } = this.program;
    gl.useProgram(program);
    gl.uniform1i(at.uData, 0);
    gl.uniform1i(at.uTable, 1);
    gl.uniform2fv(at.uShare, this.share);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.data);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.table);
    for (let k = from; k < to; k++) {
      this.tableau.b.forEach((_, s) => this.stage(k, s));
      this.places.reverse();
      gl.bindBuffer(gl.COPY_READ_BUFFER, this.places[0]);
      gl.bindBuffer(gl.COPY_WRITE_BUFFER, this.came);
      gl.copyBufferSubData(gl.COPY_READ_BUFFER, gl.COPY_WRITE_BUFFER, 0, (k - from) * size, size);
      for (const target of [gl.COPY_READ_BUFFER, gl.COPY_WRITE_BUFFER]) gl.bindBuffer(target, null);
    }
    return this.came;
  }

  /** One stage of the step to a knot: its slope, or after the last the places. @param {number} k @param {number} s */
  stage(k, s) {
    const gl = this.gl, { at } = this.program, { a, b, c } = this.tableau, { knots, start } = this.job;
    const h = knots[k] - knots[k - 1], last = s === b.length - 1;
    const { table, floats, integers } = this.law.at(c[s] === 1 ? knots[k] : knots[k - 1] + c[s] * h);
    this.fill(table, 4);
    const scaled = (/** @type {number[]} */ weights) => Float32Array.from({ length: SLOPES }, (_, j) => (j < s ? h * (weights[j] ?? 0) : 0));
    gl.uniform1fv(at["uInner[0]"], scaled(a[s]));
    gl.uniform1fv(at["uOuter[0]"], last ? scaled(b) : new Float32Array(SLOPES));
    gl.uniform1f(at.uKeep, last ? 1 : 0);
    gl.uniform1f(at.uOwn, last ? h * b[s] : 1);
    for (const [name, value] of Object.entries(floats)) if (at[name]) value.length === 2 ? gl.uniform2fv(at[name], value) : gl.uniform4fv(at[name], value);
    for (const [name, value] of Object.entries(integers)) if (at[name]) value.length === 1 ? gl.uniform1iv(at[name], value) : gl.uniform4iv(at[name], value);
    for (let slot = 0; slot <= SLOPES; slot++) this.attribute(slot, s);
    gl.bindTransformFeedback(gl.TRANSFORM_FEEDBACK, this.feedback);
    gl.bindBufferBase(gl.TRANSFORM_FEEDBACK_BUFFER, 0, last ? this.places[1] : this.slopes[s]);
    gl.beginTransformFeedback(gl.POINTS);
    gl.drawArrays(gl.POINTS, 0, start.length / 2);
    gl.endTransformFeedback();
    gl.bindBufferBase(gl.TRANSFORM_FEEDBACK_BUFFER, 0, null);
    gl.bindTransformFeedback(gl.TRANSFORM_FEEDBACK, null);
  }

  /** What an attribute reads in a stage: the places, an earlier slope, or 0 in the place of a later one. @param {number} slot @param {number} s */
  attribute(slot, s) {
    const gl = this.gl;
    // One that is switched off must not point to the buffer that is written either.
    gl.bindBuffer(gl.ARRAY_BUFFER, slot && slot <= s ? this.slopes[slot - 1] : this.places[0]);
    gl.vertexAttribPointer(slot, 2, gl.FLOAT, false, 8, 0);
    if (slot <= s) gl.enableVertexAttribArray(slot);
    else gl.disableVertexAttribArray(slot);
    gl.vertexAttrib2f(slot, 0, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, null);
  }

  free() {
    const gl = this.gl;
    for (const buffer of [...this.places, ...this.slopes, this.came]) gl.deleteBuffer(buffer);
    for (const texture of [this.data, this.table]) gl.deleteTexture(texture);
  }
}
