// The engine: takes particles along a law's field, on whichever of the graphics card, a Worker or the page is
// fastest here; which one is measured once.

import { GpuRefused, OnGpu } from "./gpu.js";
import { standInFor, terms } from "./law.js";
import { probe } from "./probes.js";
import { walk, work } from "./walk.js";
import { InWorker } from "./worker.js";

/** @typedef {import("./walk.js").Job} Job */
/** @typedef {import("./walk.js").Told} Told */
/** @typedef {import("./law.js").Law} Law */
/** @typedef {"GPU" | "worker" | "page"} Where */
/** A job under way: `done` with the milliseconds that it worked, or null where it was stopped. @typedef {{ done: Promise<number | null>, stop: () => void }} Running */
/** @typedef {{ name: string, can: (law: Law) => boolean, follow: (job: Job, told: Told) => Running, dispose: () => void }} BackEnd */
/**
 * What becomes of a job. It is known at once; the knots come later.
 * @typedef {object} Course
 * @property {Where | "cannot"} where "cannot": it would take too long, nothing comes, and the server's film may serve
 * @property {number} milliseconds how long it takes, by what was measured
 * @property {boolean} standIn whether a few points stand in for a cloud
 * @property {Promise<boolean>} done true at the end, false where a newer job took its place
 */

const PLACES = /** @type {Where[]} */ (["GPU", "worker", "page"]);
/** Milliseconds that a job may take on the page itself; a longer one is worth its way to another place. */
const SMALL = 4;
const TURNS = 3;
/** Milliseconds that a browser's clock tells apart. */
const FINEST = 0.1;
/** Points of a cloud that stand in for it while something is dragged. */
const STAND_IN = 200;

export class Engine {
  /**
   * @param {object} [how]
   * @param {Where | null} [how.wanted] where to compute, instead of measuring
   * @param {number} [how.longest] milliseconds that a job may take
   * @param {number} [how.dragged] the same while something is dragged
   */
  constructor({ wanted = null, longest = 2000, dragged = 150 } = {}) {
    this.longest = longest;
    this.draggedLongest = dragged;
    /** @type {Partial<Record<Where, BackEnd>>} */
    this.ends = { page: new OnPage() };
    /** Milliseconds for a term, by place and kind of law; before it is measured, those of a slow machine. @type {Partial<Record<Where, Record<string, number>>>} */
    this.rates = {};
    /** Where jobs are done, but for small ones. @type {Where} */
    this.where = "page";
    /** Why the others are not. @type {Partial<Record<Where, string>>} */
    this.why = {};
    /** @type {Map<string, Running>} */
    this.running = new Map();
    this.ended = false;
    /** When the place is chosen. */
    this.ready = this.choose(wanted);
  }

  /** Take the fastest place, or the wanted one if it works. @param {Where | null} wanted @returns {Promise<Where>} */
  async choose(wanted) {
    for (const place of PLACES.slice(wanted ? PLACES.indexOf(wanted) : 0)) {
      try {
        const end = (this.ends[place] ??= place === "GPU" ? new OnGpu(wanted === "GPU") : new InWorker());
        const rates = await measured(end);
        if (this.ended) return this.where;
        if (place === "GPU") await compare(end);
        this.rates[place] = rates;
      } catch (error) {
        if (place === "page") throw error;
        this.leave(place, error instanceof Error ? error.message : String(error));
      }
    }
    const gpu = this.rates.GPU, other = this.rates.worker ?? this.rates.page;
    /** @type {Where} */
    const best = gpu && (!other || gpu.cloud < other.cloud) ? "GPU" : this.rates.worker ? "worker" : "page";
    this.where = wanted && this.rates[wanted] ? wanted : best;
    return this.where;
  }

  /** @param {Where} place @param {string} why */
  leave(place, why) {
    this.why[place] = why;
    this.ends[place]?.dispose();
    delete this.ends[place];
    delete this.rates[place];
    if (this.where === place) this.where = this.rates.worker ? "worker" : "page";
  }

  /** Milliseconds that a job takes at a place. @param {Job} job @param {Where} place */
  milliseconds(job, place) {
    return work(job) * (this.rates[place] ?? SLOW)[job.law.kind];
  }

  /** @param {Job} job @returns {Where} */
  placeFor(job) {
    if (this.milliseconds(job, "page") <= SMALL) return "page";
    if (this.ends[this.where]?.can(job.law)) return this.where;
    return this.rates.worker ? "worker" : "page";
  }

  /**
   * Follow a job and tell its knots, from the first to the last. It takes the place of the one before of this name.
   * @param {string} name of a picture that shows one job at a time
   * @param {Job} job
   * @param {Told} told
   * @param {{ dragging?: boolean, seed?: number }} [how] `dragging`: a cloud that takes too long is thinned, by this seed
   * @returns {Course}
   */
  follow(name, job, told, { dragging = false, seed = 0 } = {}) {
    this.stop(name);
    let taken = job, where = this.placeFor(job), milliseconds = this.milliseconds(job, where);
    const standIn = dragging && job.law.kind === "cloud" && milliseconds > this.draggedLongest && terms(job.law) > STAND_IN;
    if (standIn) {
      taken = { ...job, law: standInFor(/** @type {import("./law.js").CloudLaw} */ (job.law), STAND_IN, seed) };
      where = this.placeFor(taken);
      milliseconds = this.milliseconds(taken, where);
    }
    if (milliseconds > this.longest) return { where: "cannot", milliseconds, standIn: false, done: Promise.resolve(false) };
    return { where, milliseconds, standIn, done: this.run(name, taken, where, told) };
  }

  /** @param {string} name @param {Job} job @param {Where} where @param {Told} told @returns {Promise<boolean>} */
  async run(name, job, where, told) {
    const running = /** @type {BackEnd} */ (this.ends[where]).follow(job, told);
    this.running.set(name, running);
    try {
      const worked = await running.done;
      if (worked !== null) this.learn(job, where, worked);
      return worked !== null;
    } catch (error) {
      // A card that was taken away is no reason to show nothing.
      if (!(error instanceof GpuRefused) || this.ended) throw error;
      this.leave("GPU", error.message);
      return this.running.get(name) === running && this.run(name, job, this.placeFor(job), told);
    } finally {
      if (this.running.get(name) === running) this.running.delete(name);
    }
  }

  /** What a job took corrects what the next is thought to take. @param {Job} job @param {Where} where @param {number} worked */
  learn(job, where, worked) {
    const rates = this.rates[where], { kind } = job.law;
    if (rates && worked > SMALL) rates[kind] = (rates[kind] + worked / work(job)) / 2;
  }

  /** Leave the job of a name. @param {string} name */
  stop(name) {
    this.running.get(name)?.stop();
    this.running.delete(name);
  }

  dispose() {
    this.ended = true;
    for (const name of [...this.running.keys()]) this.stop(name);
    for (const end of Object.values(this.ends)) end.dispose();
  }
}

/** Milliseconds for a term on a slow machine. @type {Record<string, number>} */
const SLOW = { mixture: 4e-5, cloud: 2e-5, net: 4e-6 };

/** The kinds of law that a back end takes. @param {BackEnd} end */
const kindsOf = (end) => /** @type {Law["kind"][]} */ (Object.keys(SLOW)).filter((kind) => end.can(probe(kind, 1).law));

/** Milliseconds for a term, by kind of law: the best of some turns, because code warms up and others use the machine. @param {BackEnd} end */
async function measured(end) {
  /** @type {Record<string, number>} */
  const rates = {};
  for (const kind of kindsOf(end)) {
    // Long enough for a coarse clock; and a card is only as fast as it is with as many particles as a picture has.
    const job = probe(kind, end.name === "GPU" || kind === "mixture" ? 2048 : 64);
    for (let turn = 0; turn < TURNS; turn++) {
      const worked = Math.max(FINEST, Number(await end.follow(job, () => {}).done));
      rates[kind] = Math.min(rates[kind] ?? Infinity, worked / work(job));
    }
  }
  return rates;
}

/** Refuse a card whose sums are not those of the page. @param {BackEnd} end */
async function compare(end) {
  for (const kind of kindsOf(end)) {
    const job = probe(kind, 16);
    let mine = job.start, right = job.start;
    await end.follow(job, (_, x) => (mine = x)).done;
    await new OnPage().follow(job, (_, x) => (right = x)).done;
    if (!mine.every((x, i) => Math.abs(x - right[i]) < 1e-3)) throw new GpuRefused(`The card's sums for a ${kind} are wrong.`);
  }
}

/** The page itself, in slices of a few milliseconds. @implements {BackEnd} */
class OnPage {
  name = "page";

  can() {
    return true;
  }

  /** @param {Job} job @param {Told} told @returns {Running} */
  follow(job, told) {
    let stopped = false;
    return { done: walk(job, (k, x) => stopped || told(k, x), () => stopped, SMALL), stop: () => (stopped = true) };
  }

  dispose() {}
}
