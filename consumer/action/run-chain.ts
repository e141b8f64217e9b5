import type { z } from "zod";

import { hasCode } from "#consumer/errors.ts";
import type { AwaitedAnswer } from "#consumer/history/base/health.ts";
import { DAY_MS, headPath, headSchema, numberOf, runPath, runSchema } from "./limit-files.ts";
import type { Clock, Files } from "#consumer/ports.ts";
import type { WriteOnceFiles } from "#consumer/history/base/write-once.ts";
import { createLimitCheck } from "./run-limit.ts";
import type { RunLimits } from "#consumer/planning/rules.ts";

/** The decision whether a run of a rule may take place under the limits of the rule. */
export type Admission =
  | { readonly admitted: true }
  /** `detail` names the limit that was reached, for the dead letter. */
  | { readonly admitted: false; readonly detail: string };

/**
 * The runs of one rule: files `<n>.run` that are written once. A run is admitted by linking the next name, so the
 * file server lets one pod at a time through, and the limits are checked against the links before it.
 */
export interface RunChain {
  /**
   * Decides about a run in its turn, and tries once; `answer` is told how long it waits. An admitted run stands
   * durably in the chain.
   */
  admit(run: string, limits: RunLimits, answer?: AwaitedAnswer): Promise<Admission>;
}

export interface RunChainOptions {
  readonly files: Files;
  readonly writeOnce: WriteOnceFiles;
  readonly clock: Pick<Clock, "wallMs">;
  readonly directory: string;
  readonly pod: string;
  /** Called with the error of a damaged file. */
  readonly onDamage?: (error: Error) => void;
}

type Link = Pick<z.infer<typeof runSchema>, "run" | "atMs">;

/** The part of a chain that this process knows. Links never change, so each is read once. */
interface Known {
  /** The number of the newest link. */
  last: number;
  /** The newest links without a gap, the newest first. */
  readonly links: Link[];
  /** The time at which the chain was last followed to its end. */
  atMs: number;
}

/** The number of links that are read in parallel. */
const READ_AT_ONCE = 16;
/**
 * Links that are kept beyond those that the limits need, so that a run is found that was admitted but whose decision
 * was not written.
 */
const LINKS_KEPT = 100;

/**
 * Creates a chain. The cost of a decision does not grow with the number of files: the directory is listed only when
 * no file says where the chain ends.
 */
export function createRunChain(options: RunChainOptions): RunChain {
  const { files, writeOnce, clock, directory, pod } = options;
  let known: Known | undefined;
  let deciding: Promise<unknown> = Promise.resolve();

  const decide = async (run: string, limits: RunLimits): Promise<Admission> => {
    for (;;) {
      const chain = await follow(known ?? (await begin()));
      known = chain;
      const atMs = clock.wallMs();
      const decided = await checkLimits(chain, run, limits, atMs);
      if (decided) {
        if (decided.admitted) await files.syncDirectory(directory);
        return decided;
      }
      // A process that was suspended for days may find names free again because their links were deleted.
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

  /** Returns a recent end of the chain; no link behind it has been deleted since. */
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

  /**
   * Returns the refusal of a run after the last link, or its admission when it stands in the chain already; undefined
   * when it may be added.
   */
  const checkLimits = async (
    chain: Known,
    run: string,
    limits: RunLimits,
    atMs: number,
  ): Promise<Admission | undefined> => {
    const { runsPerHourMax = Number.POSITIVE_INFINITY } = limits;
    const check = createLimitCheck(limits, atMs);
    for (let back = 0; back < chain.last; back += 1) {
      if (back >= chain.links.length && !(await readBack(chain))) break;
      const link = chain.links[back];
      if (!link) break;
      if (link.run === run) return { admitted: true };
      const verdict = check(link.atMs);
      if (verdict === "none") break;
      if (verdict) return { admitted: false, detail: `suppressed: ${verdict.reached}` };
      if (runsPerHourMax === Number.POSITIVE_INFINITY && back + 1 >= LINKS_KEPT) break;
    }
    const kept = Math.max(LINKS_KEPT, Number.isFinite(runsPerHourMax) ? runsPerHourMax : 0);
    chain.links.length = Math.min(chain.links.length, kept);
    return undefined;
  };

  /** Reads older links; returns false when there are none. */
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
    // Runs are decided one after another, because those of one process would only compete for the same names.
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

/**
 * Reads a link; undefined when there is none. A damaged link still counts as a run, of an unknown name, at the time
 * at which its file was last changed.
 */
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

/** Writes where the chain ends. Every process may replace it; a number that is behind only costs some more reads. */
export async function writeHead(
  { clock, directory, writeOnce }: Pick<RunChainOptions, "clock" | "directory" | "writeOnce">,
  last: number,
): Promise<void> {
  await writeOnce.replace(headPath(directory), { format: 1, last, atMs: clock.wallMs() });
}
