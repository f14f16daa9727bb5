// The renderer without WebGL: pixels written into an ImageData, pane by pane. Same plan, same picture.

class SoftRenderer {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.name = "canvas2d";
    this.device = "CPU";
    this.budget = 26000;
    this.images = [];
  }

  load(scene) {
    this.scene = scene;
    this.images = [];
  }

  colour(tables) {
    this.tables = tables;
  }

  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.images = [];
  }

  draw(plan) {
    const c = this.context;
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    plan.panes.forEach((view, i) => {
      const [x, y, w, h] = view.rect;
      if (!this.images[i] || this.images[i].width !== w || this.images[i].height !== h) this.images[i] = c.createImageData(w, h);
      this.pane(plan, view, this.images[i], this.scene.panes[i], this.tables[i]);
      c.putImageData(this.images[i], x, y);
    });
    // putImageData knows no clip: round the corners afterwards.
    c.globalCompositeOperation = "destination-in";
    c.beginPath();
    for (const view of plan.panes) c.roundRect(...view.rect, plan.round);
    c.fill();
    c.globalCompositeOperation = "source-over";
  }

  pane(plan, view, image, pane, table) {
    const { layers, theme, at } = plan, { count, last, times } = this.scene;
    const canvas = { pixels: image.data, width: image.width, height: image.height };
    const [r, g, b] = theme.sunk, words = new Uint32Array(image.data.buffer);
    words.fill((255 << 24) | (b << 16) | (g << 8) | r);
    if (layers.field) this.field(plan, view, canvas, pane);
    const [ox, oy, sx, sy] = view.norm.map((v, i) => (i < 2 ? v : v / 32767));
    const coordinate = plan.coordinate;
    const placeX = (p, i, x) => (plan.time ? x : ox + sx * p[i]);
    const placeY = (p, i) => oy + sy * p[plan.time ? i + coordinate : i + 1];
    if (layers.lines && pane.lines) {
      const [number, points] = pane.lines.shape, p = pane.lines.data;
      for (let s = 0; s + 1 < points; s++) {
        const xa = view.timeX(1 - s / (points - 1)), xb = view.timeX(1 - (s + 1) / (points - 1));
        for (let l = 0; l < number; l++) {
          const i = 2 * (l * points + s);
          stroke(canvas, placeX(p, i, xa), placeY(p, i), placeX(p, i + 2, xb), placeY(p, i + 2), theme.original, 0, plan.lineAlpha, plan.lineAlpha);
        }
      }
    }
    const p = pane.positions;
    if (layers.trails) {
      const number = Math.min(count, plan.trailCount);
      for (const part of trailParts(plan, last)) {
        const from = 2 * part.frame * count, xa = view.timeX(times[part.frame]), xb = view.timeX(times[part.frame + 1]);
        for (let i = 0; i < number; i++) {
          const j = from + 2 * i, n = j + 2 * count;
          const x0 = placeX(p, j, xa), y0 = placeY(p, j), dx = placeX(p, n, xb) - x0, dy = placeY(p, n) - y0;
          stroke(canvas, x0 + dx * part.from, y0 + dy * part.from, x0 + dx * part.to, y0 + dy * part.to, table, 4 * i, part.fadeFrom, part.fadeTo);
        }
      }
    }
    if (layers.particles) {
      const from = 2 * at.frame * count, x = view.timeX(plan.t);
      const cloud = (number, size, alpha) => {
        for (let i = 0; i < number; i++) {
          const j = from + 2 * i, n = j + 2 * count, x0 = placeX(p, j, x), y0 = placeY(p, j);
          disc(canvas, x0 + (placeX(p, n, x) - x0) * at.mix, y0 + (placeY(p, n) - y0) * at.mix, size, table, 4 * i, alpha);
        }
      };
      cloud(count, plan.pointSize, plan.time ? 0.3 * plan.pointAlpha : plan.pointAlpha);
      if (plan.time) cloud(Math.min(count, plan.trailCount), 1.25 * plan.pointSize, 1);
    }
  }

  field(plan, view, { pixels, width, height }, pane) {
    const field = plan.time ? timeField(this.scene, pane, plan.coordinate) : planeField(this.scene, pane);
    const [, rows, columns] = field.shape, { ink, strength } = fieldLook(plan, field.kind), size = rows * columns;
    const frame = plan.time ? 0 : plan.at.frame, mix = plan.time ? 0 : plan.at.mix, [u0, v0, du, dv] = view.uv;
    const here = field.slice(frame), next = field.slice(Math.min(frame + 1, field.shape[0] - 1));
    // The frame between two slices, once; then linear look-ups.
    const slice = new Float32Array(size);
    for (let i = 0; i < size; i++) slice[i] = (here[i] + (next[i] - here[i]) * mix) * (strength / 255);
    const across = Float32Array.from({ length: width }, (_, x) => inside(u0 + du * (x + 0.5), view.fade[0]));
    for (let y = 0; y < height; y++) {
      const v = v0 + dv * (y + 0.5), along = inside(v, view.fade[1]);
      if (v < 0 || v > 1) continue;
      const row = clamp(v * rows - 0.5, 0, rows - 1), r0 = Math.min(rows - 2, Math.floor(row)), fy = row - r0;
      for (let x = 0; x < width; x++) {
        const u = u0 + du * (x + 0.5);
        if (u < 0 || u > 1) continue;
        const column = clamp(u * columns - 0.5, 0, columns - 1), c0 = Math.min(columns - 2, Math.floor(column)), fx = column - c0, k = r0 * columns + c0;
        const low = slice[k] + (slice[k + 1] - slice[k]) * fx, high = slice[k + columns] + (slice[k + columns + 1] - slice[k + columns]) * fx;
        const alpha = (low + (high - low) * fy) * across[x] * along, o = 4 * (y * width + x);
        if (alpha < 0.003) continue;
        pixels[o] += (ink[0] - pixels[o]) * alpha;
        pixels[o + 1] += (ink[1] - pixels[o + 1]) * alpha;
        pixels[o + 2] += (ink[2] - pixels[o + 2]) * alpha;
      }
    }
  }

  dispose() {
    this.images = [];
  }
}

// 1 within the field, softly 0 at its ends 0 and 1.
function inside(share, fade) {
  const near = clamp(Math.min(share, 1 - share) / fade, 0, 1);
  return near * near * (3 - 2 * near);
}

// Blend a colour (three bytes of `table` from `c`) into one pixel.
function blend({ pixels, width, height }, x, y, table, c, alpha) {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const o = 4 * (y * width + x);
  pixels[o] += (table[c] - pixels[o]) * alpha;
  pixels[o + 1] += (table[c + 1] - pixels[o + 1]) * alpha;
  pixels[o + 2] += (table[c + 2] - pixels[o + 2]) * alpha;
}

// A line of one pixel: a step per pixel along the longer side, shared by the two pixels beside it on the other.
function stroke(canvas, x0, y0, x1, y1, table, c, fadeFrom, fadeTo) {
  const dx = x1 - x0, dy = y1 - y0, steps = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)));
  if (steps > 4096 || Math.max(fadeFrom, fadeTo) < 0.01) return;
  const steep = Math.abs(dy) > Math.abs(dx);
  for (let s = 0; s < Math.max(1, steps); s++) {
    const share = steps ? (s + 0.5) / steps : 0.5, x = x0 + dx * share - 0.5, y = y0 + dy * share - 0.5;
    const alpha = fadeFrom + (fadeTo - fadeFrom) * share, ix = Math.floor(steep ? x : x + 0.5), iy = Math.floor(steep ? y + 0.5 : y);
    const part = steep ? x - ix : y - iy;
    blend(canvas, ix, iy, table, c, alpha * (1 - part));
    blend(canvas, steep ? ix + 1 : ix, steep ? iy : iy + 1, table, c, alpha * part);
  }
}

// A disc with soft edges.
function disc(canvas, x, y, size, table, c, alpha) {
  if (size < 2.2) {
    // A small dot is shared by the four pixels around its centre.
    const ix = Math.floor(x - 0.5), iy = Math.floor(y - 0.5), fx = x - 0.5 - ix, fy = y - 0.5 - iy, ink = alpha * Math.min(1, 0.7 * size);
    blend(canvas, ix, iy, table, c, ink * (1 - fx) * (1 - fy));
    blend(canvas, ix + 1, iy, table, c, ink * fx * (1 - fy));
    blend(canvas, ix, iy + 1, table, c, ink * (1 - fx) * fy);
    blend(canvas, ix + 1, iy + 1, table, c, ink * fx * fy);
    return;
  }
  const radius = size / 2 + 0.5, x0 = Math.floor(x - radius), x1 = Math.ceil(x + radius), y0 = Math.floor(y - radius), y1 = Math.ceil(y + radius);
  for (let py = y0; py < y1; py++)
    for (let px = x0; px < x1; px++) {
      const cover = radius - Math.hypot(px + 0.5 - x, py + 0.5 - y);
      if (cover > 0) blend(canvas, px, py, table, c, alpha * Math.min(1, cover));
    }
}
