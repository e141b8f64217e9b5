import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { createFiles } from "#consumer/adapters/files/files.ts";
import { createMetrics } from "#consumer/adapters/metrics.ts";
import { systemCode } from "#consumer/errors.ts";
import { createClaims } from "#consumer/history/claims/claims.ts";
import type { Claim } from "#consumer/history/claims/claims.ts";
import { FORMATS } from "#consumer/history/base/format.ts";
import { createTemporaryFiles, TEMPORARY_DIRECTORY } from "#consumer/history/base/temporary.ts";
import type { Files } from "#consumer/ports.ts";

export interface ClaimRaceOptions {
  /** Of the shared volume; made when it is absent. One race each. */
  readonly directory: string;
  /** Name of this racer, such as a pod's. */
  readonly racer: string;
  /** Names of all racers, this one too. Nobody begins before all are there. */
  readonly racers: readonly string[];
  /** Claims that each tries to get. */
  readonly keys: number;
  /** From the last arrival until the start. Default 5000: what a file server may take to show a file to another client. */
  readonly headStartMs?: number;
}

/** What one racer saw. Keys are counted from 0; bit n of byte n / 8 is key n, the lowest first, in hexadecimal. */
export interface ClaimRaceResult {
  readonly racer: string;
  /** Milliseconds since the epoch, by the clock of the racer. */
  readonly startMs: number;
  readonly endMs: number;
  /** Keys whose claim this racer was told to have linked. */
  readonly linked: string;
  /** Keys whose claim holds the nonce of this racer when it is read afterwards. */
  readonly owned: string;
}

const ASK_AGAIN_MS = 50;
/** Claims under way at the same time. */
const CONCURRENT = 16;

/** Races for every key once, through the consumer's own claims. Rejects with the volume's errors. */
export async function raceForClaims(options: ClaimRaceOptions): Promise<ClaimRaceResult> {
  const { directory, racer, keys } = options;
  const files = createFiles(directory);
  const clock = createSystemClock();
  const metrics = createMetrics();
  const health = { failed: () => {}, recovered: () => {} };
  await files.makeDirectory(TEMPORARY_DIRECTORY);
  const temporary = createTemporaryFiles({ files, clock, health, metrics, writer: racer });
  const claims = createClaims({ files, temporary, clock, metrics, formats: FORMATS });
  const linked = Buffer.alloc(Math.ceil(keys / 8));
  const owned = Buffer.alloc(linked.length);

  await startTogether(files, options);
  const startMs = Date.now();
  await eachKey(keys, async (index) => {
    const beganMs = performance.now();
    if ((await claims.linkClaim(claimOf(index, racer))) === "taken") return;
    setBit(linked, index);
    // Whoever won lets the others catch up, so that no racer runs far ahead of the race.
    await sleep(performance.now() - beganMs);
  });
  const endMs = Date.now();
  await eachKey(keys, async (index) => {
    const claim = await claims.readClaim(keyOf(index), 1);
    if (claim?.nonce === nonceOf(index, racer)) setBit(owned, index);
  });
  return { racer, startMs, endMs, linked: linked.toString("hex"), owned: owned.toString("hex") };
}

/** Each says when it came; all begin a while after the last of them. */
async function startTogether(files: Files, options: ClaimRaceOptions): Promise<void> {
  const { racer, racers, headStartMs = 5000 } = options;
  await files.makeDirectory("racers");
  const own = await files.createExclusive(`racers/${racer}.arriving`);
  await own.append(Buffer.from(String(Date.now())));
  await own.dataSync();
  await own.close();
  // With its content or not at all.
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
