// What is drawn over the particles, on one 2-D canvas: axes, arrows, the particle under the pointer, the probe.

const MINUS = (text) => text.replace("-", "−");
// Never a negative zero.
const fixed = (value, digits = 2) => MINUS(value.toFixed(digits).replace(/^-(?=[0.]*$)/, ""));

/** Round numbers that divide [low, high] into about `count` steps. */
function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw)), step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) || 10);
  const out = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) out.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return { values: out, digits: clamp(-Math.floor(Math.log10(step)), 0, 6) };
}

function arrow(c, x0, y0, dx, dy, head) {
  const size = Math.hypot(dx, dy);
  if (size < 0.5) return;
  const ux = dx / size, uy = dy / size, h = Math.min(head, 0.6 * size);
  c.moveTo(x0, y0);
  c.lineTo(x0 + dx, y0 + dy);
  c.moveTo(x0 + dx - h * (ux + 0.55 * uy), y0 + dy - h * (uy - 0.55 * ux));
  c.lineTo(x0 + dx, y0 + dy);
  c.lineTo(x0 + dx - h * (ux - 0.55 * uy), y0 + dy - h * (uy + 0.55 * ux));
}

function drawAxes(c, scene, view, plan) {
  const { theme } = plan, { x, y, w, h, plot } = view;
  const low = scene.bounds[2 * plan.coordinate], high = scene.bounds[2 * plan.coordinate + 1];
  c.font = "11px ui-sans-serif, system-ui, sans-serif";
  // The trajectories that leave the plot end above its axis.
  c.fillStyle = css(theme.sunk);
  c.fillRect(x, y + plot.bottom + 4, w, h - plot.bottom);
  c.lineWidth = 1;
  c.strokeStyle = css(theme["ink-faint"], 0.22);
  c.beginPath();
  for (const t of [0.75, 0.5, 0.25]) {
    const px = Math.round(x + view.cssTimeX(t)) + 0.5;
    c.moveTo(px, y + plot.top);
    c.lineTo(px, y + plot.bottom);
  }
  c.stroke();
  c.textBaseline = "alphabetic";
  c.textAlign = "center";
  c.fillStyle = css(theme["ink-soft"]);
  if (w > 260) for (const t of [0.75, 0.5, 0.25]) c.fillText(String(t), x + view.cssTimeX(t), y + h - 7);
  c.textAlign = "left";
  c.fillStyle = css(theme.noise);
  c.fillText("noise", x + plot.left, y + h - 7);
  c.textAlign = "right";
  c.fillStyle = css(theme.data);
  c.fillText("data", x + plot.right, y + h - 7);
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillStyle = css(theme["ink-soft"]);
  const marks = ticks(low, high, 5);
  for (const value of marks.values) {
    const py = y + view.cssY(plan.coordinate ? [0, value] : [value, 0]);
    if (py > y + 10 && py < y + plot.bottom - 8) c.fillText(fixed(value, marks.digits), x + 7, py);
  }
  c.setLineDash([3, 3]);
  c.strokeStyle = css(theme.ink, 0.55);
  c.beginPath();
  const now = Math.round(x + view.cssTimeX(plan.t)) + 0.5;
  c.moveTo(now, y + plot.top);
  c.lineTo(now, y + plot.bottom);
  c.stroke();
  c.setLineDash([]);
}

// The length that most velocities of a pane stay below, over all frames: one scale for all its arrows.
function typicalSpeed(arrows) {
  if (arrows.typical) return arrows.typical;
  const v = arrows.vectors, speeds = [];
  const stride = 2 * Math.max(1, Math.floor(v.length / 40000));
  for (let i = 0; i + 1 < v.length; i += stride) speeds.push(Math.hypot(v[i], v[i + 1]));
  speeds.sort((p, q) => p - q);
  return (arrows.typical = speeds[Math.floor(0.9 * (speeds.length - 1))] || 1);
}

function drawArrows(c, scene, pane, view, plan) {
  const { points, vectors, role } = pane.arrows, number = points.length / 2, [cx, cy, hx, hy] = scene.box;
  const spacing = Math.sqrt(((scene.bounds[1] - scene.bounds[0]) * (scene.bounds[3] - scene.bounds[2])) / number) * view.scale;
  const full = (0.85 * spacing) / typicalSpeed(pane.arrows), here = 2 * plan.at.frame * number, next = here + 2 * number, m = plan.at.mix;
  c.strokeStyle = css(plan.theme[role], 0.8);
  c.lineWidth = 1.25;
  c.beginPath();
  for (let g = 0; g < 2 * number; g += 2) {
    let vx = vectors[here + g] + (vectors[next + g] - vectors[here + g]) * m, vy = vectors[here + g + 1] + (vectors[next + g + 1] - vectors[here + g + 1]) * m;
    const size = Math.hypot(vx, vy) * full, shrink = size > 1.3 * spacing ? (1.3 * spacing) / size : 1;
    const [px, py] = view.css([cx + (hx * points[g]) / 32767, cy + (hy * points[g + 1]) / 32767]);
    // −v: the way a particle moves on the page while t falls.
    arrow(c, view.x + px, view.y + py, -vx * full * shrink, vy * full * shrink, 4.5);
  }
  c.stroke();
}

/** The index of the particle nearest to a point of the pane (CSS pixels), within `reach` pixels; −1 if none. */
function nearest(scene, pane, view, plan, px, py, reach) {
  const p = pane.positions, from = 2 * plan.at.frame * scene.count, step = 2 * scene.count, m = plan.at.mix;
  const [ox, oy, sx, sy] = view.cssNorm, time = plan.time, k = plan.coordinate, tx = view.cssTimeX(plan.t);
  let best = reach * reach, found = -1;
  for (let i = 0; i < scene.count; i++) {
    const j = from + 2 * i;
    const x = time ? tx : ox + (sx * (p[j] + (p[j + step] - p[j]) * m)) / 32767;
    const l = time ? j + k : j + 1;
    const y = oy + (sy * (p[l] + (p[l + step] - p[l]) * m)) / 32767, away = (x - px) ** 2 + (y - py) ** 2;
    if (away < best) {
      best = away;
      found = i;
    }
  }
  return found;
}

/** One particle picked out, or followed in a colour: its whole trajectory, and a ring where it is now. */
function drawPicked(c, scene, pane, view, plan, i, colour = null) {
  const { theme } = plan, path = [];
  for (let k = 0; k <= scene.last; k++) {
    const at = k < scene.last ? { frame: k, mix: 0 } : { frame: k - 1, mix: 1 };
    path.push(view.css(whereIs(scene, pane, i, at), scene.times[k]));
  }
  const line = (from, to, colour, width) => {
    c.beginPath();
    for (let k = from; k <= to; k++) c.lineTo(view.x + path[k][0], view.y + path[k][1]);
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.stroke();
  };
  line(0, scene.last, css(theme.sunk, 0.75), colour ? 5 : 3.5);
  line(0, scene.last, colour ? css(colour) : css(theme.ink, 0.45), colour ? 2.2 : 1.2);
  const [px, py] = view.css(whereIs(scene, pane, i, plan.at), plan.t);
  c.beginPath();
  c.arc(view.x + px, view.y + py, colour ? 6.5 : 4.5, 0, 7);
  c.fillStyle = css(colour || theme.ink);
  c.strokeStyle = css(theme.sunk);
  c.lineWidth = 1.5;
  c.fill();
  c.stroke();
}

/** Where a path of the probe's answer is at time t; its points are at `times`, decreasing. */
function along(path, times, t) {
  let k = 0;
  while (k + 2 < times.length && times[k + 1] > t) k++;
  const share = clamp((times[k] - t) / (times[k] - times[k + 1]), 0, 1);
  return path[k].map((v, c) => v + (path[k + 1][c] - v) * share);
}

/** The probe: a ring at once, and the answer when it has come. */
function drawProbe(c, scene, view, plan, probe, answer, index) {
  const { theme } = plan, { x, y } = view, near = Math.abs(plan.t - probe.t) < 0.004, point = [probe.x, probe.y];
  const [px, py] = view.css(point, probe.t);
  if (answer && answer.paths && (index === (answer.pathPane || 0) || scene.panes.length === 1)) {
    const times = answer.times || answer.paths[0].map((_, s, all) => 1 - s / (all.length - 1));
    c.strokeStyle = css(theme.original, theme.dark ? 0.5 : 0.55);
    c.lineWidth = 0.9;
    c.beginPath();
    for (const path of answer.paths)
      path.forEach((q, s) => {
        const [qx, qy] = view.css(q, times[s]);
        if (s) c.lineTo(x + qx, y + qy);
        else c.moveTo(x + qx, y + qy);
      });
    c.stroke();
    if (!near) {
      // Away from the probe's time the paths' own particles come into view: they meet at the ring.
      c.fillStyle = css(theme.ink, 0.75);
      c.beginPath();
      for (const path of answer.paths) {
        const [qx, qy] = view.css(along(path, times, plan.t), plan.t);
        c.moveTo(x + qx + 1.8, y + qy);
        c.arc(x + qx, y + qy, 1.8, 0, 7);
      }
      c.fill();
    }
  }
  if (answer && (!plan.time || scene.dim === 1)) {
    const speeds = [...(answer.fan || []), ...(answer.u ? [answer.u] : []), ...(answer.net ? [answer.net] : [])].map((v) => Math.hypot(...v)).sort((p, q) => p - q);
    const longest = speeds[Math.floor(0.9 * (speeds.length - 1))] || 1, size = clamp(0.2 * Math.min(view.w, view.h), 36, 84);
    const step = (v) => {
      if (!plan.time) return [(-v[0] * size) / longest, (v[1] * size) / longest];
      // In the space–time view a velocity is a slope: move by a small dt and see where the curve goes.
      const [qx, qy] = view.css([probe.x - 0.02 * v[0], 0], probe.t - 0.02), grow = size / Math.hypot(qx - px, qy - py);
      return [(qx - px) * grow, (qy - py) * grow];
    };
    c.lineCap = "round";
    if (answer.fan && (index !== (answer.pathPane || 0) || scene.panes.length === 1 || plan.time)) {
      c.strokeStyle = css(theme.original, near ? 0.6 : 0.25);
      c.lineWidth = 1;
      c.beginPath();
      for (const v of answer.fan) {
        const [dx, dy] = step(v);
        c.moveTo(x + px, y + py);
        c.lineTo(x + px + dx, y + py + dy);
      }
      c.stroke();
    }
    for (const [v, role] of [[answer.net, "learned"], [answer.u, "exact"]]) {
      if (!v) continue;
      const [dx, dy] = step(v);
      for (const [colour, width] of [[css(theme.sunk, 0.85), 5], [css(theme[role], near ? 1 : 0.5), 2.6]]) {
        c.strokeStyle = colour;
        c.lineWidth = width;
        c.beginPath();
        const long = Math.hypot(dx, dy), inner = Math.min(1, 6 / (long || 1));
        arrow(c, x + px + dx * inner, y + py + dy * inner, dx * (1 - inner), dy * (1 - inner), 8);
        c.stroke();
      }
    }
    c.lineCap = "butt";
  }
  for (const [colour, width] of [[css(theme.sunk, 0.9), 4], [css(theme.ink, near ? 1 : 0.55), 1.6]]) {
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    c.arc(x + px, y + py, 5.5, 0, 7);
    c.stroke();
  }
}
