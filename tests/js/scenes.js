// Small scene files, written here as fmstudio/plots/scene/file.py describes them.

/** One pane: the positions of two particles, the same in every frame. @param {number} frames @param {number[]} row x, y, x, y */
export const panes = (frames, row) => Array.from({ length: frames }, () => row);

/**
 * @param {{ positions?: number[][], times?: number[], dim?: number, version?: number, labels?: number[] }} given
 * @returns {ArrayBuffer}
 */
export function sceneFile({ times = [1, 0.5, 0], positions = panes(times.length, [0, 0, 0, 0]), dim = 2, version = 3, labels } = {}) {
  const numbers = [...positions.flat(), ...(labels ?? [])], size = positions.flat().length;
  const head = {
    format: "fm-scene", version, dim, frames: times.length, count: 2, times, a: times.map((t) => 1 - t), b: times,
    bounds: [-1, 1, -1, 1], box: [0, 0, 2, 2], curves: null,
    panes: [{ title: "Q", caption: "", positions: { at: 0, shape: [times.length, 2, 2] } }],
    labels: labels ? { at: 2 * size, shape: [2] } : null,
  };
  const plain = JSON.stringify(head), text = plain.padEnd(4 * Math.ceil(plain.length / 4));
  const bytes = new Uint8Array(4 + text.length + 2 * numbers.length), view = new DataView(bytes.buffer);
  view.setUint32(0, text.length, true);
  bytes.set(new TextEncoder().encode(text), 4);
  numbers.forEach((n, i) => view.setInt16(4 + text.length + 2 * i, n, true));
  return bytes.buffer;
}
