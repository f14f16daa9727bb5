// An MP4 taken apart again into its boxes.

import assert from "node:assert/strict";
import test from "node:test";

import { encodeMp4 } from "../../assets/js/player/mp4.js";

const INSIDE = ["moov", "trak", "mdia", "minf", "stbl"];

/** All boxes of a file by name, with their content. @param {Uint8Array} bytes @param {Map<string, Uint8Array>} found */
function boxes(bytes, found = new Map()) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at < bytes.length) {
    const size = view.getUint32(at), name = String.fromCharCode(...bytes.subarray(at + 4, at + 8)), inside = bytes.subarray(at + 8, at + size);
    found.set(name, inside);
    if (INSIDE.includes(name)) boxes(inside, found);
    at += size;
  }
  assert.equal(at, bytes.length);
  return found;
}

/** @param {Uint8Array | undefined} bytes */
const words = (bytes) => {
  assert.ok(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(4 * i));
};

const frames = [[1, 2, 3], [4], [5, 6]].map((bytes, number) => ({ bytes: Uint8Array.from(bytes), key: number !== 1, number }));
const film = { width: 640, height: 360, rate: 30, config: { codec: "vp09.00.41.08" }, frames };

test("the index tells where and how long every frame is, and which are keys", async () => {
  const file = new Uint8Array(await encodeMp4(film).arrayBuffer()), found = boxes(file);
  assert.deepEqual([...found.keys()].filter((name) => !INSIDE.includes(name)).slice(0, 3), ["ftyp", "mvhd", "tkhd"]);
  assert.deepEqual(words(found.get("stsz")), [0, 0, 3, 3, 1, 2]);
  assert.deepEqual(words(found.get("stss")), [0, 2, 1, 3]);
  assert.deepEqual(words(found.get("stts")), [0, 1, 3, 1]);
  const start = words(found.get("stco"))[2];
  assert.deepEqual([...file.subarray(start, start + 6)], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...(found.get("mdat") ?? [])], [1, 2, 3, 4, 5, 6]);
  assert.ok(!found.has("ctts"));
});

test("size, rate and length stand in the headers", async () => {
  const found = boxes(new Uint8Array(await encodeMp4(film).arrayBuffer()));
  assert.deepEqual(words(found.get("mvhd")).slice(3, 5), [30, 3]);
  assert.deepEqual(words(found.get("tkhd")).slice(-2), [640 << 16, 360 << 16]);
});

test("frames that are decoded in another order than shown say when", async () => {
  const turned = [0, 2, 1].map((number, k) => ({ ...frames[k], number }));
  const found = boxes(new Uint8Array(await encodeMp4({ ...film, frames: turned }).arrayBuffer()));
  assert.deepEqual(words(found.get("ctts")).map((v) => v | 0), [1 << 24, 3, 1, 0, 1, 1, 1, -1]);
});

test("H.264's head is what the first frame carries, else what the encoder says", async () => {
  const units = [0, 0, 0, 5, 0x67, 66, 0, 30, 9, 0, 0, 0, 3, 0x68, 8, 7, 0, 0, 0, 2, 0x65, 1];
  const made = async (/** @type {number[]} */ bytes) => {
    const one = [{ bytes: Uint8Array.from(bytes), key: true, number: 0 }], description = Uint8Array.from([1, 2, 3, 4]).buffer;
    const text = String.fromCharCode(...new Uint8Array(await encodeMp4({ ...film, config: { codec: "avc1.640028", description }, frames: one }).arrayBuffer()));
    return text.slice(text.indexOf("avcC") + 4);
  };
  const head = [1, 66, 0, 30, 0xff, 0xe1, 0, 5, 0x67, 66, 0, 30, 9, 1, 0, 3, 0x68, 8, 7];
  assert.ok((await made(units)).startsWith(String.fromCharCode(...head)));
  assert.ok((await made([0, 0, 0, 2, 0x65, 1])).startsWith("\x01\x02\x03\x04"));
});
