// Files made in the browser: a picture, and one HTML page that plays offline; what a frame of a GIF or film shows.

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Paint the whole stage, headings and a time line on one canvas. Call right after a draw, in the same task. */
function composite(player, canvas) {
  const { theme, dpr } = player, foot = 34, even = (v) => 2 * Math.round(v / 2);
  const width = even(player.stage.clientWidth * dpr), height = even((player.stage.clientHeight + foot) * dpr);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const c = canvas.getContext("2d");
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.fillStyle = css(theme.card);
  c.fillRect(0, 0, width, height);
  c.setTransform(dpr, 0, 0, dpr, 0, 0);
  const font = getComputedStyle(player.root).fontFamily;
  player.views.forEach((view, i) => {
    c.fillStyle = css(theme.sunk);
    c.beginPath();
    c.roundRect(view.x, view.y, view.w, view.h, 10);
    c.fill();
    const pane = player.scene.panes[i];
    c.textBaseline = "alphabetic";
    c.textAlign = "left";
    c.font = `650 14px ${font}`;
    c.fillStyle = css(theme.ink);
    c.fillText(pane.title, view.x, view.y - 12);
    const used = c.measureText(pane.title).width;
    c.font = `12.5px ${font}`;
    c.fillStyle = css(theme["ink-soft"]);
    c.textAlign = "right";
    if (used + c.measureText(pane.caption).width + 20 < view.w) c.fillText(pane.caption, view.x + view.w, view.y - 12);
  });
  c.drawImage(player.base, 0, 0, player.stage.clientWidth, player.stage.clientHeight);
  c.drawImage(player.over, 0, 0, player.stage.clientWidth, player.stage.clientHeight);
  const y = player.stage.clientHeight + foot / 2 - 3, left = 60, right = width / dpr - 130, share = (player.first - player.t) / (player.first - player.end);
  const paint = c.createLinearGradient(left, 0, right, 0);
  paint.addColorStop(0, css(theme.noise));
  paint.addColorStop(1, css(theme.data));
  c.fillStyle = paint;
  c.beginPath();
  c.roundRect(left, y - 2, right - left, 4, 2);
  c.fill();
  c.fillStyle = css(theme.card);
  c.strokeStyle = css(theme.ink);
  c.lineWidth = 2;
  c.beginPath();
  c.arc(left + (right - left) * share, y, 6, 0, 7);
  c.fill();
  c.stroke();
  c.font = `12.5px ${font}`;
  c.textBaseline = "middle";
  c.fillStyle = css(theme["ink-soft"]);
  c.textAlign = "right";
  c.fillText("noise", left - 10, y);
  c.textAlign = "left";
  c.fillText("data", right + 10, y);
  c.textAlign = "right";
  c.font = `650 13.5px ${font}`;
  c.fillStyle = css(theme.ink);
  c.fillText(`t = ${fixed(player.t)}`, width / dpr - 16, y);
}

function exportPicture(player) {
  const canvas = document.createElement("canvas");
  player.draw();
  composite(player, canvas);
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob), "image/png"));
}

function base64(buffer) {
  const bytes = new Uint8Array(buffer), parts = [];
  for (let i = 0; i < bytes.length; i += 0x8000) parts.push(String.fromCharCode.apply(null, bytes.subarray(i, i + 0x8000)));
  return btoa(parts.join(""));
}

/** The same page that fmstudio/plots/scene/offline.py writes: player, style and scene in one file, as it is seen. */
function exportPage(player) {
  const options = { ...player.options, curves: true, colour: player.colourMode, layers: Object.keys(player.layers).filter((key) => player.layers[key]) };
  const title = document.title.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const fill = { TITLE: title, SCRIPT: SOURCE, SCENE: base64(player.scene.buffer), OPTIONS: JSON.stringify(options).replaceAll("<", "\\u003c") };
  return new Blob([OFFLINE_PAGE.replace(/\{\{(\w+)\}\}/g, (_, name) => fill[name])], { type: "text/html" });
}
