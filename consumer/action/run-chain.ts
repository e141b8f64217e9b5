import type { z } from "zod";

import { hasCode } from "#consumer/errors.ts";
import type { AwaitedAnswer } from "#consumer/history/base/health.ts";
import { DAY_MS, headPath, headSchema, numberOf, runPath, runSchema } from "./limit-files.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import type { WriteOnceFiles } from "#consumer/history/base/write-once.ts";
import type { RunLimits } from "#consumer/planning/rules.ts";

/** Whether a run of a rule may take place under the limits of the rule. */
export type Admission =
  | { readonly admitted: true }
  /** `detail` names the limit that was reached, for the dead letter. */
  | { readonly admitted: false; readonly detail: string };

/**
 * The runs of one rule: files that are written once, `<n>.run`. A run is admitted by linking the next name, so the file
 * server lets one pod at a time through, and the limits are judged against the links before.
 */
export interface RunChain {
  /** Tries once, in its turn, which `answer` is told of. Whoever is admitted stands in the chain, durably. */
  admit(run: string, limits: RunLimits, answer?: AwaitedAnswer): Promise<Admission>;
}

export interface RunChainOptions {
  readonly files: Files;
  readonly writeOnce: WriteOnceFiles;
  readonly clock: Pick<Clock, "wallMs">;
  readonly directory: string;
  readonly pod: string;
  /** Told of files that were damaged. */
  readonly onDamage?: (error: Error) => void;
}

type Link = Pick<z.infer<typeof runSchema>, "run" | "atMs">;

/** What this process knows of a chain: links never change, so each is read once. */
interface Known {
  /** Number of the newest link. */
  last: number;
  /** The newest ones, without a gap, the newest first. */
  readonly links: Link[];
  /** When the chain was followed to its end. */
  atMs: number;
}

const HOUR_MS = 3_600_000;
/** Links that are read side by side. */
const READ_AT_ONCE = 16;
/** Kept beyond what the limits ask for, so that one that was admitted is found when its decision was not written. */
const LINKS_KEPT = 100;

/** What it costs to ask does not grow with what the directory holds: it is listed when nobody has written where the chain ends. */
export function createRunChain(options: RunChainOptions): RunChain {
  const { files, writeOnce, clock, directory, pod } = options;
  let known: Known | undefined;
  let deciding: Promise<unknown> = Promise.resolve();

  const decide = async (run: string, limits: RunLimits): Promise<Admission> => {
    for (;;) {
      const chain = await follow(known ?? (await begin()));
      known = chain;
      const atMs = clock.wallMs();
      const judged = await judge(chain, run, limits, atMs);
      if (judged) {
        if (judged.admitted) await files.syncDirectory(directory);
        return judged;
      }
      // A process that slept for days may find names free again that were forgotten.
      if (chain.last > 0 && !(await read(chain.last))) {
        known = undefined;
        continue;
      }
      const link = { run, atMs };
      const path = runPath(directory, chain.last + 1);
      if (!(await writeOnce.link(path, { format: 1, ...link, pod }))) continue;
      add(chain, link);
      await files.syncDirectory(directory);
      return { admitted: true };
    }
  };

  const read = (number: number): Promise<Link | undefined> =>
    readRun(runPath(directory, number), options);

  /** Where it ended not long ago; nothing behind that has been forgotten since. */
  const begin = async (): Promise<Known> => {
    await files.makeDirectory(directory);
    const atMs = clock.wallMs();
    const hint = await writeOnce.read(headSchema, headPath(directory)).catch(() => undefined);
    const isFresh = hint !== undefined && Math.abs(atMs - hint.atMs) < DAY_MS;
    if (isFresh && (hint.last === 0 || (await read(hint.last)))) {
      return { last: hint.last, links: [], atMs };
    }
    const highest = await highestRun(files, directory);
    await writeHead(options, highest);
    return { last: highest, links: [], atMs };
  };

  const follow = async (chain: Known): Promise<Known> => {
    const atMs = clock.wallMs();
    if (Math.abs(atMs - chain.atMs) >= DAY_MS) return follow(await begin());
    for (let next = await read(chain.last + 1); next; next = await read(chain.last + 1)) {
      add(chain, next);
    }
    chain.atMs = atMs;
    return chain;
  };

  /** What forbids a run after the last link, or finds it admitted already; undefined when nothing does. */
  const judge = async (
    chain: Known,
    run: string,
    { coolDownMs = 0, runsPerHourMax = Number.POSITIVE_INFINITY }: RunLimits,
    atMs: number,
  ): Promise<Admission | undefined> => {
    let withinHour = 0;
    for (let back = 0; back < chain.last; back += 1) {
      if (back >= chain.links.length && !(await readBack(chain))) break;
      const link = chain.links[back];
      if (!link) break;
      if (link.run === run) return { admitted: true };
      // The clock of another pod may be ahead.
      const agoMs = Math.max(0, atMs - link.atMs);
      if (agoMs < coolDownMs) {
        const detail = `suppressed: the rule ran ${agoMs} ms ago, its cool-down is ${coolDownMs} ms`;
        return { admitted: false, detail };
      }
      if (agoMs >= HOUR_MS) break;
      withinHour += 1;
      if (withinHour >= runsPerHourMax) {
        const detail = `suppressed: the rule ran ${withinHour} times within the hour, as often as it may`;
        return { admitted: false, detail };
      }
      if (runsPerHourMax === Number.POSITIVE_INFINITY && withinHour >= LINKS_KEPT) break;
    }
    const kept = Math.max(LINKS_KEPT, Number.isFinite(runsPerHourMax) ? runsPerHourMax : 0);
    chain.links.length = Math.min(chain.links.length, kept);
    return undefined;
  };

  /** Adds older links; false when there are none. */
  const readBack = async ({ last: newest, links }: Known): Promise<boolean> => {
    const end = newest - links.length;
    const numbers = Array.from({ length: Math.min(READ_AT_ONCE, end) }, (_, index) => end - index);
    for (const link of await Promise.all(numbers.map(read))) {
      if (!link) return links.length > newest - end;
      links.push(link);
    }
    return numbers.length > 0;
  };

  return {
    // One after another: those of one process would only take each other's names.
    admit(run, limits, answer) {
      answer?.postpone();
      const decided = deciding.then(() => {
        answer?.begin();
        return decide(run, limits);
      });
      deciding = decided.catch(() => {
        known = undefined;
      });
      return decided;
    },
  };
}

/** One that was damaged is a run all the same, of nobody knows whom; it was at the latest when its file was changed last. */
export async function readRun(
  path: string,
  { files, writeOnce, onDamage }: Pick<RunChainOptions, "files" | "writeOnce" | "onDamage">,
): Promise<Link | undefined> {
  try {
    return await writeOnce.read(runSchema, path);
  } catch (error) {
    if (!hasCode(error, "history-damaged")) throw error;
    onDamage?.(error);
    return { run: "", atMs: Math.ceil(await files.modifiedMs(path)) };
  }
}

function add(chain: Known, link: Link): void {
  chain.last += 1;
  chain.links.unshift(link);
}

async function highestRun(files: Files, directory: string): Promise<number> {
  let highest = 0;
  for await (const name of files.listEach(directory)) {
    highest = Math.max(highest, numberOf(name, "run"));
  }
  return highest;
}

/** Replaced by whoever knows: one that is behind only costs a few more reads. */
export async function writeHead(
  { clock, directory, writeOnce }: Pick<RunChainOptions, "clock" | "directory" | "writeOnce">,
  last: number,
): Promise<void> {
  await writeOnce.replace(headPath(directory), { format: 1, last, atMs: clock.wallMs() });
}
