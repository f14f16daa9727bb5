// A film of one sweep from noise to data, with a hold at the data, at the chosen speed. Where the browser lends its
// encoder (on https, on this machine, from a file) every frame is drawn and the film is an MP4; elsewhere the
// canvas is recorded while it plays, as the browser records: MP4 or WebM.

const FILM_RATE = 30, FILM_BITS = 9e6;
const FILM_CODECS = ["avc1.640033", "avc1.640028", "vp09.00.41.08"];
const RECORDINGS = ["video/mp4;codecs=avc1.640033", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

async function exportFilm(player) {
  const canvas = document.createElement("canvas"), before = { t: player.t, playing: player.playing, loop: player.loop };
  player.setPlaying(false);
  player.seek(player.first);
  player.draw();
  composite(player, canvas);
  try {
    const config = await filmConfig(canvas.width, canvas.height);
    return await (config ? drawFilm(player, canvas, config) : recordFilm(player, canvas));
  } finally {
    player.tell("");
    player.loop = before.loop;
    player.setPlaying(before.playing);
    player.seek(before.t);
  }
}

/** The first encoding that this browser can do at this size, or null. */
async function filmConfig(width, height) {
  if (!window.VideoEncoder) return null;
  for (const codec of FILM_CODECS) {
    const config = { codec, width, height, bitrate: FILM_BITS, framerate: FILM_RATE, ...(codec.startsWith("avc1") && { avc: { format: "avc" } }) };
    if ((await VideoEncoder.isConfigSupported(config)).supported) return config;
  }
  return null;
}

async function drawFilm(player, canvas, config) {
  const { width, height } = canvas, moving = Math.round((FILM_RATE * SWEEP) / 1000 / player.speed), count = moving + 1 + (FILM_RATE * HOLD) / 1000;
  const frames = [];
  let decoder = null, failed = null;
  const encoder = new VideoEncoder({
    output: (chunk, about) => {
      decoder ||= about.decoderConfig;
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      frames.push({ bytes, key: chunk.type === "key", number: Math.round((chunk.timestamp * FILM_RATE) / 1e6) });
    },
    error: (error) => (failed = error),
  });
  const check = () => {
    if (failed) throw new Error(`This browser's encoder failed (${failed.message}); take the GIF.`);
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

function recordFilm(player, canvas) {
  const kind = RECORDINGS.find((type) => window.MediaRecorder && MediaRecorder.isTypeSupported(type));
  if (!kind) throw new Error("This browser cannot make films; take the GIF.");
  player.tell("Recording one sweep …");
  const stream = canvas.captureStream(FILM_RATE), recorder = new MediaRecorder(stream, { mimeType: kind, videoBitsPerSecond: FILM_BITS }), parts = [];
  recorder.ondataavailable = (event) => event.data.size && parts.push(event.data);
  return new Promise((resolve, reject) => {
    recorder.onstop = () => {
      player.afterDraw = player.afterSweep = null;
      stream.getTracks().forEach((track) => track.stop());
      if (parts.length) resolve(new Blob(parts, { type: kind.split(";")[0] }));
      else reject(new Error("This browser recorded nothing; take the GIF."));
    };
    recorder.onerror = () => reject(new Error("The recording failed; take the GIF."));
    player.afterDraw = () => composite(player, canvas);
    player.afterSweep = () => recorder.state === "recording" && recorder.stop();
    player.loop = false;
    recorder.start(500);
    player.setPlaying(true);
  });
}
