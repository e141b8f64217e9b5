import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createFiles } from "#consumer/adapters/files/files.ts";
import { createMetrics } from "#consumer/adapters/metrics.ts";
import { systemCode } from "#consumer/errors.ts";
import { createClaims } from "#consumer/history/claims/claims.ts";
import type { Claim } from "#consumer/history/claims/claims.ts";
import { createAtomicFiles } from "#consumer/history/base/atomic-files.ts";
import type { Files } from "#consumer/ports.ts";
import { TEMPORARY_DIRECTORY } from "#consumer/history/base/layout.ts";

export interface ClaimRaceOptions {
  /** A directory of the shared volume, for one race. It is made when it is absent. */
  readonly directory: string;
  /** The name of this racer, such as a pod's. */
  readonly racer: string;
  /** The names of all racers, including this one. Nobody begins before all have arrived. */
  readonly racers: readonly string[];
  /** The number of claims that each racer tries to get. */
  readonly keys: number;
  /**
   * The time from the last arrival until the start, in milliseconds. Defaults to 5000, the time
   * that a file server may take to show a file to another client.
   */
  readonly headStartMs?: number;
}

/**
 * The observations of one racer. Keys are counted from 0. Bit n of byte n / 8 stands for key n,
 * lowest bit first, in hexadecimal.
 */
export interface ClaimRaceResult {
  readonly racer: string;
  /** The start, in milliseconds since the epoch by the racer's clock. */
  readonly startMs: number;
  readonly endMs: number;
  /** The keys whose claim this racer linked, according to the result of link(2). */
  readonly linked: string;
  /** The keys whose claim holds the nonce of this racer when it is read afterwards. */
  readonly owned: string;
}

const ASK_AGAIN_MS = 50;
/** The number of claims that are under way at the same time. */
const CONCURRENT = 16;

/**
 * Races for every key once, through the consumer's own claims. Rejects with the volume's errors.
 */
export async function raceForClaims(options: ClaimRaceOptions): Promise<ClaimRaceResult> {
  const { directory, racer, keys } = options;
  const files = createFiles(directory);
  const clock = createSystemClock();
  const metrics = createMetrics();
  const health = { failed: () => {}, recovered: () => {} };
  await files.makeDirectory(TEMPORARY_DIRECTORY);
  const atomicFiles = createAtomicFiles({
    files,
    writer: racer,
    observer: { clock, health, metrics },
  });
  const claims = createClaims({ files, atomicFiles, clock, metrics });
  const linked = Buffer.alloc(Math.ceil(keys / 8));
  const owned = Buffer.alloc(linked.length);

  await startTogether(files, options);
  const startMs = Date.now();
  await eachKey(keys, async (index) => {
    const beganMs = performance.now();
    if ((await claims.linkClaim(claimOf(index, racer))) === "taken") return;
    setBit(linked, index);
    // A racer that is ahead lets the others catch up.
    await sleep(performance.now() - beganMs);
  });
  const endMs = Date.now();
  await eachKey(keys, async (index) => {
    const claim = await claims.readClaim(keyOf(index), 1);
    if (claim?.nonce === nonceOf(index, racer)) setBit(owned, index);
  });
  return { racer, startMs, endMs, linked: linked.toString("hex"), owned: owned.toString("hex") };
}

/**
 * Waits until all racers have announced themselves; all begin a fixed time after the last arrival.
 */
async function startTogether(files: Files, options: ClaimRaceOptions): Promise<void> {
  const { racer, racers, headStartMs = 5000 } = options;
  await files.makeDirectory("racers");
  const own = await files.createExclusive(`racers/${racer}.arriving`);
  await own.append(Buffer.from(String(Date.now())));
  await own.dataSync();
  await own.close();
  // The link makes the file appear with its content.
  await files.link(`racers/${racer}.arriving`, `racers/${racer}`);
  let lastMs = 0;
  for (const other of racers) lastMs = Math.max(lastMs, await arrival(files, other));
  await sleep(Math.max(0, lastMs + headStartMs - Date.now()));
}

async function arrival(files: Files, racer: string): Promise<number> {
  for (;;) {
    try {
      return Number(Buffer.from(await files.read(`racers/${racer}`)).toString());
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    await sleep(ASK_AGAIN_MS);
  }
}

async function eachKey(keys: number, work: (index: number) => Promise<void>): Promise<void> {
  const indices = Array.from({ length: keys }).keys();
  const worker = async (): Promise<void> => {
    for (const index of indices) await work(index);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
}

function claimOf(index: number, racer: string): Claim {
  return {
    key: keyOf(index),
    attempt: 1,
    nonce: nonceOf(index, racer),
    pod: racer,
    rule: "race",
    action: "race",
    incidentId: String(index),
    transition: "active",
    startedOnMs: 0,
    topic: "race",
    partition: 0,
    offset: String(index),
    claimedAtMs: Date.now(),
  };
}

function keyOf(index: number): string {
  return createHash("sha256").update(`race ${index}`).digest("hex");
}

function nonceOf(index: number, racer: string): string {
  return `${racer} ${index}`;
}

function setBit(bits: Buffer, index: number): void {
  bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
}
