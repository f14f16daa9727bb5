// The WebGL2 renderer. One buffer of int16 positions per pane; frames k and k+1 are two attribute pointers into
// it and the vertex shader mixes them, so scrubbing moves an offset and sends nothing.

class GlRenderer {
  /**
   * Throws where the browser gives no WebGL2 context, or one that runs on the CPU: there the 2-D canvas draws
   * the same picture many times faster. `insist` takes it even so.
   */
  constructor(canvas, insist = false) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, premultipliedAlpha: true, powerPreference: "high-performance", failIfMajorPerformanceCaveat: !insist });
    if (!gl) throw new Error("This browser gave no WebGL2 context on a graphics card.");
    this.canvas = canvas;
    this.gl = gl;
    this.name = "webgl2";
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    this.device = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
    const software = /swiftshader|llvmpipe|softpipe|software|basic render/i.test(this.device);
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
    this.held = [];
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  program(vertex, fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(`WebGL: ${gl.getProgramInfoLog(program)}`);
    const at = {};
    for (let i = 0; i < (gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) || 0); i++) {
      const name = gl.getActiveUniform(program, i).name;
      at[name] = gl.getUniformLocation(program, name);
    }
    return { program, at };
  }

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

  load(scene) {
    this.free();
    this.scene = scene;
    const most = this.gl.getParameter(this.gl.MAX_TEXTURE_SIZE), { count, frames } = scene;
    // Trails are drawn for as many particles as one row of a texture holds.
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

  /** A texture of pairs of int16, read texel by texel; `stride` is the length of a row in the data. */
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

  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

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

  /** Send a layer of the bound texture to the device, the first time that it is drawn. */
  send(held, field, layer) {
    if (held.sent.has(layer)) return;
    held.sent.add(layer);
    const gl = this.gl, [frames, height, width] = field.shape, { layers } = held;
    const slice = field.slice(layers === frames ? layer : Math.round((layer * (frames - 1)) / (layers - 1)));
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, layer, width, height, 1, gl.RED, gl.UNSIGNED_BYTE, slice);
  }

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
      this.pane(plan, view, this.held[i], this.scene.panes[i]);
    });
  }

  pane(plan, view, held, pane) {
    const gl = this.gl, { layers, theme, at } = plan, count = this.scene.count, last = this.scene.last;
    if (layers.field) this.field(plan, view, held, pane);
    gl.bindVertexArray(held.array);
    const use = ({ program, at: where }) => {
      gl.useProgram(program);
      gl.uniform2f(where.uSize, view.rect[2], view.rect[3]);
      gl.uniform2f(where.uOffset, view.norm[0], view.norm[1]);
      gl.uniform2f(where.uScale, view.norm[2], view.norm[3]);
      gl.uniform1i(where.uCoordinate, plan.time ? plan.coordinate : -1);
      return where;
    };
    const paths = (table, byPath, tint, width) => {
      const where = use(this.segments);
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, held.hues);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, table);
      gl.uniform1i(where.uPaths, 0);
      gl.uniform1i(where.uColours, 1);
      gl.uniform1i(where.uByPath, byPath ? 1 : 0);
      gl.uniform1i(where.uTinted, tint ? 1 : 0);
      if (tint) gl.uniform3f(where.uTint, tint[0] / 255, tint[1] / 255, tint[2] / 255);
      gl.uniform1f(where.uWidth, width);
      return where;
    };
    if (layers.lines && held.lines) {
      const where = paths(held.lines, true, theme.original, plan.lineWidth), [number, points] = pane.lines.shape;
      gl.uniform2f(where.uPart, 0, 1);
      gl.uniform2f(where.uFade, plan.lineAlpha, plan.lineAlpha);
      for (let s = 0; s + 1 < points; s++) {
        gl.uniform1i(where.uStep, s);
        gl.uniform2f(where.uTime, view.timeX(1 - s / (points - 1)), view.timeX(1 - (s + 1) / (points - 1)));
        gl.drawArrays(gl.TRIANGLES, 0, 6 * Math.min(number, gl.getParameter(gl.MAX_TEXTURE_SIZE)));
      }
    }
    if (layers.trails) {
      const where = paths(held.paths, false, null, plan.trailWidth), times = this.scene.times;
      for (const part of trailParts(plan, last)) {
        gl.uniform1i(where.uStep, part.frame);
        gl.uniform2f(where.uTime, view.timeX(times[part.frame]), view.timeX(times[part.frame + 1]));
        gl.uniform2f(where.uPart, part.from, part.to);
        gl.uniform2f(where.uFade, part.fadeFrom, part.fadeTo);
        gl.drawArrays(gl.TRIANGLES, 0, 6 * Math.min(this.traced, plan.trailCount));
      }
    }
    if (layers.particles) {
      const where = use(this.points), x = view.timeX(plan.t);
      gl.bindBuffer(gl.ARRAY_BUFFER, held.positions);
      for (const [slot, frame] of [[0, at.frame], [1, at.frame + 1]]) {
        gl.enableVertexAttribArray(slot);
        gl.vertexAttribPointer(slot, 2, gl.SHORT, true, 4, 4 * count * frame);
      }
      gl.bindBuffer(gl.ARRAY_BUFFER, held.colours);
      gl.enableVertexAttribArray(2);
      gl.vertexAttribPointer(2, 4, gl.UNSIGNED_BYTE, true, 0, 0);
      gl.uniform1f(where.uMix, at.mix);
      gl.uniform2f(where.uTime, x, x);
      gl.uniform1f(where.uPoint, plan.pointSize);
      gl.uniform1f(where.uAlpha, plan.time ? 0.3 * plan.pointAlpha : plan.pointAlpha);
      gl.drawArrays(gl.POINTS, 0, count);
      if (plan.time) {
        gl.uniform1f(where.uPoint, 1.25 * plan.pointSize);
        gl.uniform1f(where.uAlpha, 1);
        gl.drawArrays(gl.POINTS, 0, Math.min(count, plan.trailCount));
      }
    }
    gl.bindVertexArray(null);
  }

  field(plan, view, held, pane) {
    const gl = this.gl, time = plan.time, coordinate = plan.coordinate;
    const field = time ? timeField(this.scene, pane, coordinate) : planeField(this.scene, pane);
    const sheet = this.texture(held, time ? `time${coordinate}` : "plane", field), { texture, layers, frames } = sheet;
    const layer = time ? 0 : Math.fround(((plan.at.frame + plan.at.mix) * (layers - 1)) / Math.max(1, frames - 1));
    const { program, at: where } = this.fields, look = fieldLook(plan, field.kind);
    gl.useProgram(program);
    gl.bindVertexArray(this.empty);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    for (const k of [Math.floor(layer), Math.min(Math.floor(layer) + 1, layers - 1)]) this.send(sheet, field, k);
    gl.uniform1i(where.uField, 0);
    gl.uniform2f(where.uSize, view.rect[2], view.rect[3]);
    gl.uniform2f(where.uUvOffset, view.uv[0], view.uv[1]);
    gl.uniform2f(where.uUvScale, view.uv[2], view.uv[3]);
    gl.uniform2f(where.uFade, ...view.fade);
    gl.uniform1f(where.uLayer, layer);
    gl.uniform1f(where.uStrength, look.strength);
    gl.uniform1f(where.uRound, plan.round);
    gl.uniform3f(where.uInk, look.ink[0] / 255, look.ink[1] / 255, look.ink[2] / 255);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.bindVertexArray(null);
  }

  dispose() {
    if (!this.gl.isContextLost()) this.free();
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** How strongly a field is drawn, and in which colour. */
function fieldLook(plan, kind) {
  const { theme } = plan;
  if (kind === "error") return { ink: theme.error, strength: theme.dark ? 0.75 : 0.7 };
  return { ink: theme.ink, strength: theme.dark ? (plan.time ? 0.3 : 0.2) : plan.time ? 0.26 : 0.17 };
}

/** The pieces of a particle's path to draw: between frames, from share to share, fading. */
function trailParts(plan, last) {
  const { frame, mix } = plan.at, parts = [];
  if (plan.time) {
    // In the space–time view the whole trajectory stands there; the part that was travelled is stronger.
    for (let k = 0; k < last; k++) {
      if (k < frame) parts.push({ frame: k, from: 0, to: 1, fadeFrom: plan.pastAlpha, fadeTo: plan.pastAlpha });
      else if (k > frame) parts.push({ frame: k, from: 0, to: 1, fadeFrom: plan.aheadAlpha, fadeTo: plan.aheadAlpha });
      else {
        parts.push({ frame: k, from: 0, to: mix, fadeFrom: plan.pastAlpha, fadeTo: plan.pastAlpha });
        parts.push({ frame: k, from: mix, to: 1, fadeFrom: plan.aheadAlpha, fadeTo: plan.aheadAlpha });
      }
    }
    return parts;
  }
  const head = frame + mix, tail = Math.max(0, head - plan.trail), fade = (k) => plan.trailAlpha * clamp(1 - (head - k) / plan.trail, 0, 1) ** 1.5;
  for (let k = Math.floor(tail); k <= frame && k < last; k++) {
    const from = Math.max(0, tail - k), to = Math.min(1, head - k);
    if (to > from) parts.push({ frame: k, from, to, fadeFrom: fade(k + from), fadeTo: fade(k + to) });
  }
  return parts;
}
