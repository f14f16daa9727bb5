// A film of one sweep from noise to data, with a hold at the data, at the chosen speed. Where the browser lends its
// encoder (on https, on this machine, from a file) every frame is drawn and the film is an MP4; elsewhere the
// canvas is recorded while it plays, as the browser records: MP4 or WebM.

import { HOLD, SWEEP, stopped } from "./clock.js";
import { composite } from "./exports.js";
import { encodeMp4 } from "./mp4.js";

/** @typedef {import("./player.js").Player & { scene: import("./scene.js").Scene }} Player one that has its scene */

const FILM_RATE = 30, FILM_BITS = 9e6;
const FILM_CODECS = ["avc1.640033", "avc1.640028", "vp09.00.41.08"];
const RECORDINGS = ["video/mp4;codecs=avc1.640033", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

/** @param {Player} player */
export function exportFilm(player) {
  return stopped(player, async () => {
    const canvas = document.createElement("canvas"), { loop } = player;
    player.seek(player.first);
    player.draw();
    composite(player, canvas);
    try {
      const config = await filmConfig(canvas.width, canvas.height);
      return await (config ? drawFilm(player, canvas, config) : recordFilm(player, canvas));
    } finally {
      player.loop = loop;
    }
  });
}

/** The first encoding that this browser can do at this size, or null. @param {number} width @param {number} height */
async function filmConfig(width, height) {
  if (!window.VideoEncoder) return null;
  for (const codec of FILM_CODECS) {
    /** @type {VideoEncoderConfig} */
    const config = { codec, width, height, bitrate: FILM_BITS, framerate: FILM_RATE, ...(codec.startsWith("avc1") ? { avc: { format: "avc" } } : {}) };
    if ((await VideoEncoder.isConfigSupported(config)).supported) return config;
  }
  return null;
}

/** @param {Player} player @param {HTMLCanvasElement} canvas @param {VideoEncoderConfig} config */
async function drawFilm(player, canvas, config) {
  const { width, height } = canvas, moving = Math.round((FILM_RATE * SWEEP) / 1000 / player.speed), count = moving + 1 + (FILM_RATE * HOLD) / 1000;
  /** @type {import("./mp4.js").Frame[]} */
  const frames = [];
  /** @type {VideoDecoderConfig | undefined} */
  let decoder;
  /** @type {Error | null} */
  let failed = null;
  const encoder = new VideoEncoder({
    output: (chunk, about) => {
      decoder ||= about?.decoderConfig;
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      frames.push({ bytes, key: chunk.type === "key", number: Math.round((chunk.timestamp * FILM_RATE) / 1e6) });
    },
    error: (error) => (failed = error),
  });
  const check = (/** @type {Error | null} */ error = failed) => {
    if (error) throw new Error(`This browser's encoder failed (${error.message}); take the GIF.`);
    if (player.gone) throw new Error("The player was closed.");
  };
  encoder.configure(config);
  for (let k = 0; k < count; k++) {
    player.tell(`Drawing frame ${k + 1} of ${count} …`);
    player.t = player.first + (player.end - player.first) * Math.min(1, k / moving);
    player.draw();
    composite(player, canvas);
    const frame = new VideoFrame(canvas, { timestamp: Math.round((1e6 * k) / FILM_RATE), duration: Math.round(1e6 / FILM_RATE) });
    encoder.encode(frame, { keyFrame: k % FILM_RATE === 0 });
    frame.close();
    // The page breathes between two frames, and the encoder keeps up.
    do await new Promise((resolve) => setTimeout(resolve)); while (!failed && encoder.encodeQueueSize > 4);
    check();
  }
  await encoder.flush().catch((error) => (failed ||= error));
  check();
  encoder.close();
  return encodeMp4({ width, height, rate: FILM_RATE, config: { ...decoder, codec: config.codec }, frames });
}

/** @param {Player} player @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
function recordFilm(player, canvas) {
  const kind = RECORDINGS.find((type) => window.MediaRecorder && MediaRecorder.isTypeSupported(type));
  if (!kind) throw new Error("This browser cannot make films; take the GIF.");
  player.tell("Recording one sweep …");
  const stream = canvas.captureStream(FILM_RATE), recorder = new MediaRecorder(stream, { mimeType: kind, videoBitsPerSecond: FILM_BITS });
  /** @type {Blob[]} */
  const parts = [];
  recorder.ondataavailable = (event) => void (event.data.size && parts.push(event.data));
  return new Promise((resolve, reject) => {
    recorder.onstop = () => {
      player.afterDraw = player.afterSweep = null;
      stream.getTracks().forEach((track) => track.stop());
      if (parts.length) resolve(new Blob(parts, { type: kind.split(";")[0] }));
      else reject(new Error("This browser recorded nothing; take the GIF."));
    };
    recorder.onerror = () => reject(new Error("The recording failed; take the GIF."));
    player.afterDraw = () => composite(player, canvas);
    player.afterSweep = () => void (recorder.state === "recording" && recorder.stop());
    player.loop = false;
    recorder.start(500);
    player.setPlaying(true);
  });
}
