// Colours: the palette from CSS variables, and one colour per particle from what it is asked to tell.

/** The theme's colours as [r, g, b] in 0…255, read from the page's CSS variables. */
function readTheme(element) {
  const style = getComputedStyle(element);
  const read = (name) => {
    const hex = style.getPropertyValue(`--fm-${name}`).trim();
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) || 0);
  };
  const theme = { dark: document.body.classList.contains("dark"), classes: [] };
  for (const name of ["data", "noise", "exact", "learned", "error", "original", "card", "sunk", "border", "chip", "ink", "ink-soft", "ink-faint"])
    theme[name] = read(name);
  for (let k = 0; style.getPropertyValue(`--fm-class-${k}`); k++) theme.classes.push(read(`class-${k}`));
  return theme;
}

const css = (rgb, alpha = 1) => `rgba(${rgb[0]},${rgb[1]},${rgb[2]},${alpha})`;

/** OKLCH (lightness, chroma, hue in turns) to [r, g, b]: hues of equal weight to the eye. */
function oklch(l, c, turn) {
  const a = c * Math.cos(2 * Math.PI * turn), b = c * Math.sin(2 * Math.PI * turn);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ].map((v) => {
    const s = clamp(v, 0, 1);
    return Math.round(255 * (s <= 0.0031308 ? 12.92 * s : 1.055 * s ** (1 / 2.4) - 0.055));
  });
}

/** A wheel of 256 hues; particles look their colour up instead of computing it. */
function wheel(dark) {
  return Array.from({ length: 256 }, (_, k) => (dark ? oklch(0.77, 0.125, k / 256) : oklch(0.6, 0.15, k / 256)));
}

// A whole number scrambled to [0, 1): the hue of an identity.
function scramble(i) {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return ((h ^ (h >>> 13)) >>> 0) / 4294967296;
}

/** One colour per particle: RGBA bytes, length 4 N. `mode`: "class", "start", "end", "identity" or "plain". */
function colourise(scene, pane, mode, theme) {
  const out = new Uint8Array(4 * scene.count), hues = wheel(theme.dark);
  const put = (i, rgb) => {
    out[4 * i] = rgb[0];
    out[4 * i + 1] = rgb[1];
    out[4 * i + 2] = rgb[2];
    out[4 * i + 3] = 255;
  };
  if (mode === "class" && scene.labels) {
    for (let i = 0; i < scene.count; i++) put(i, theme.classes[Math.abs(scene.labels[i]) % theme.classes.length]);
  } else if (mode === "identity") {
    for (let i = 0; i < scene.count; i++) put(i, hues[Math.floor(256 * scramble(i))]);
  } else if (mode === "start" || mode === "end") {
    const from = mode === "start" ? 0 : 2 * scene.last * scene.count, p = pane.positions;
    if (scene.dim === 1) {
      const order = Array.from({ length: scene.count }, (_, i) => i).sort((i, j) => p[from + 2 * i] - p[from + 2 * j]);
      order.forEach((i, rank) => put(i, hues[Math.floor((0.07 + (0.8 * rank) / scene.count) * 256)]));
      return out;
    }
    let mx = 0, my = 0, spread = 0;
    for (let i = 0; i < scene.count; i++) {
      mx += p[from + 2 * i] / scene.count;
      my += p[from + 2 * i + 1] / scene.count;
    }
    for (let i = 0; i < scene.count; i++) spread += Math.hypot(p[from + 2 * i] - mx, p[from + 2 * i + 1] - my) / scene.count;
    for (let i = 0; i < scene.count; i++) {
      const x = p[from + 2 * i] - mx, y = p[from + 2 * i + 1] - my;
      const rgb = hues[Math.floor((Math.atan2(y, x) / (2 * Math.PI) + 1) * 256) % 256];
      // Nearer the middle the colour pales a little, so that radius can be read as well as angle.
      const pale = 0.22 * Math.exp(-((Math.hypot(x, y) / (0.7 * spread + 1e-9)) ** 2));
      put(i, rgb.map((v, c) => v + (theme["ink-soft"][c] - v) * pale));
    }
  } else {
    for (let i = 0; i < scene.count; i++) put(i, theme.ink);
  }
  return out;
}
