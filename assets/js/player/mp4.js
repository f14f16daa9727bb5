// An MP4 file around encoded frames: one track, its index before its frames, one tick of its clock a frame.

/**
 * @typedef {number[] | Uint8Array<ArrayBuffer>} Bytes
 * @typedef {{ bytes: Uint8Array<ArrayBuffer>, key: boolean, number: number }} Frame `number`: its place in the order of showing
 * @typedef {{ codec: string, description?: AllowSharedBufferSource, colorSpace?: VideoColorSpaceInit }} Config the decoder's
 */

/** @type {Record<string, number>} */
const MP4_COLOURS = { rgb: 0, bt709: 1, bt470bg: 5, smpte170m: 6, "iec61966-2-1": 13 };

/** @param {number[]} values */
const int16s = (...values) => values.flatMap((v) => [(v >> 8) & 255, v & 255]);
/** @param {number[]} values */
const int32s = (...values) => values.flatMap((v) => [(v >> 24) & 255, (v >> 16) & 255, (v >> 8) & 255, v & 255]);
/** @param {string} text */
const letters = (text) => [...text].map((sign) => sign.charCodeAt(0));

/** @param {string} name @param {Bytes[]} parts */
function mp4Box(name, ...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 8), box = new Uint8Array(size);
  let at = 0;
  for (const part of [int32s(size), letters(name), ...parts]) {
    box.set(part, at);
    at += part.length;
  }
  return box;
}

/**
 * What a decoder of H.264 must know first: what the first frame carries, else what the encoder says. (Firefox carries
 * it in each key frame, and writes a byte of it twice where it says it.)
 * @param {AllowSharedBufferSource | undefined} description @param {Frame} first
 * @returns {Bytes}
 */
function avcHead(description, { bytes }) {
  const view = new DataView(bytes.buffer);
  /** @type {Record<number, Uint8Array>} */
  const carried = {};
  for (let at = 0; at < bytes.length; at += 4 + view.getUint32(at)) carried[bytes[at + 4] & 31] = bytes.subarray(at + 4, at + 4 + view.getUint32(at));
  const { 7: sequence, 8: picture } = carried;
  if (!sequence || !picture) return new Uint8Array(/** @type {ArrayBuffer} */ (description));
  const high = sequence[1] === 100 ? [0xfd, 0xf8, 0xf8, 0] : [];
  return [1, ...sequence.subarray(1, 4), 0xff, 0xe1, ...int16s(sequence.length), ...sequence, 1, ...int16s(picture.length), ...picture, ...high];
}

/**
 * How to decode the frames: the encoder's `config` of H.264 (avc1…) or VP9 (vp09…), and its colours.
 * @param {number} width @param {number} height @param {Config} config @param {Frame} first
 */
function mp4Entry(width, height, config, first) {
  const space = config.colorSpace || {}, full = space.fullRange ? 1 : 0;
  const colours = [space.primaries, space.transfer, space.matrix].map((name) => MP4_COLOURS[name ?? ""] ?? 2);
  const visual = [...int32s(0), ...int16s(0, 1), ...int32s(0, 0, 0, 0), ...int16s(width, height), ...int32s(72 << 16, 72 << 16, 0), ...int16s(1), ...new Array(32).fill(0), ...int16s(24, -1)];
  const colour = mp4Box("colr", letters("nclx"), int16s(...colours), [full << 7]);
  if (config.codec.startsWith("avc1")) return mp4Box("avc1", visual, mp4Box("avcC", avcHead(config.description, first)), colour);
  const [, profile, level, depth] = config.codec.split(".").map(Number);
  return mp4Box("vp09", visual, mp4Box("vpcC", [1, 0, 0, 0, profile, level, (depth << 4) | 2 | full, ...colours, 0, 0]), colour);
}

/**
 * Frames in the order of decoding as a film: `rate` frames a second, `config` the decoder's, from the encoder.
 * @param {{ width: number, height: number, rate: number, config: Config, frames: Frame[] }} film
 */
export function encodeMp4({ width, height, rate, config, frames }) {
  const count = frames.length, matrix = int32s(1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30);
  const keys = frames.flatMap((frame, k) => (frame.key ? [k + 1] : []));
  const later = frames.map((frame, k) => frame.number - k);
  const index = (/** @type {number} */ start) => mp4Box("moov",
    mp4Box("mvhd", int32s(0, 0, 0, rate, count, 1 << 16), int16s(256, 0), int32s(0, 0), matrix, int32s(0, 0, 0, 0, 0, 0, 2)),
    mp4Box("trak",
      mp4Box("tkhd", int32s(3, 0, 0, 1, 0, count, 0, 0), int16s(0, 0, 0, 0), matrix, int32s(width << 16, height << 16)),
      mp4Box("mdia",
        mp4Box("mdhd", int32s(0, 0, 0, rate, count), int16s(0x55c4, 0)),
        mp4Box("hdlr", int32s(0, 0), letters("vide"), int32s(0, 0, 0), [0]),
        mp4Box("minf",
          mp4Box("vmhd", int32s(1), int16s(0, 0, 0, 0)),
          mp4Box("dinf", mp4Box("dref", int32s(0, 1), mp4Box("url ", int32s(1)))),
          mp4Box("stbl",
            mp4Box("stsd", int32s(0, 1), mp4Entry(width, height, config, frames[0])),
            mp4Box("stts", int32s(0, 1, count, 1)),
            later.some(Boolean) ? mp4Box("ctts", int32s(1 << 24, count, ...later.flatMap((ticks) => [1, ticks]))) : [],
            mp4Box("stss", int32s(0, keys.length, ...keys)),
            mp4Box("stsc", int32s(0, 1, 1, count, 1)),
            mp4Box("stsz", int32s(0, 0, count, ...frames.map((frame) => frame.bytes.length))),
            mp4Box("stco", int32s(0, 1, start)))))));
  const type = mp4Box("ftyp", letters("isom"), int32s(512), letters("isomiso2mp41"));
  const data = frames.map((frame) => frame.bytes), size = data.reduce((sum, bytes) => sum + bytes.length, 8);
  const head = [type, index(type.length + index(0).length + 8), new Uint8Array([...int32s(size), ...letters("mdat")])];
  return new Blob([...head, ...data], { type: "video/mp4" });
}
