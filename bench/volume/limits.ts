import { link, mkdir, writeFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { join } from "node:path";
import { createFiles } from "#consumer/adapters/files/files.ts";
import { createSystemClock } from "#consumer/adapters/clock.ts";
import { decisionPath, sha256 } from "#consumer/action/limit-files.ts";
import { createRunAdmissions } from "#consumer/action/limits.ts";
import type { RunAdmissions } from "#consumer/action/limits.ts";
import { limitsDirectoryOf } from "#consumer/history/base/layout.ts";

export interface LimitsOptions {
  readonly directory: string;
  /** The number of decisions about runs of the rule that are within its age limit. */
  readonly decisions: number;
}

export interface LimitsResult {
  /** The time that one admission takes beside concurrent ones, in milliseconds. */
  readonly admissionMs: number;
  /** The longest time for which the event loop was blocked, in milliseconds. */
  readonly eventLoopBlockedMsMax: number;
  readonly peakBytes: number;
}

const RULE = "restart-web";
const DECISION = { format: 1, admitted: false, detail: "suppressed: the rule ran 3 ms ago" };
/** A file on ext4 can have at most 65,000 names. */
const LINKS_MAX = 60_000;
const AT_ONCE = 500;
/** The number of concurrent admissions, which is the number of lanes. */
const ADMISSIONS = 96;
const ROUNDS = 5;

/** Makes a volume with that many decisions about a rule, as a consumer that sweeps leaves it. */
export async function fillDecisions({ directory, decisions }: LimitsOptions): Promise<object> {
  await mkdir(join(directory, "temporary"), { recursive: true });
  const admissions = open(directory);
  await admissions.admit(runOf("first"));
  const inRule = limitsDirectoryOf(RULE);
  const startedOnMs = Date.now();
  for (let from = 0; from < decisions; from += AT_ONCE) {
    const source = join(directory, "temporary", `source.${Math.floor(from / LINKS_MAX)}`);
    if (from % LINKS_MAX === 0) await writeFile(source, JSON.stringify(DECISION));
    const count = Math.min(AT_ONCE, decisions - from);
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        link(source, join(directory, decisionPath(inRule, sha256(`${from + index}`), startedOnMs))),
      ),
    );
  }
  await admissions.forget(new AbortController().signal);
  return {};
}

/** Measures what admissions cost a process that has just started. */
export async function measureAdmissions({ directory }: LimitsOptions): Promise<LimitsResult> {
  const admissions = open(directory);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startMs = performance.now();
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(
      Array.from({ length: ADMISSIONS }, (_, index) =>
        admissions.admit(runOf(`${round}.${index}`)),
      ),
    );
  }
  const durationMs = performance.now() - startMs;
  delay.disable();
  return {
    admissionMs: durationMs / (ROUNDS * ADMISSIONS),
    eventLoopBlockedMsMax: delay.max / 1e6,
    // maxRSS is in kibibytes on every platform.
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

function runOf(incidentId: string) {
  const startedOnMs = Date.now();
  return { rule: RULE, incidentId, transition: "critical", startedOnMs, limits: LIMITS };
}

const LIMITS = { runsPerHourMax: 50 };

function open(directory: string): RunAdmissions {
  return createRunAdmissions({
    files: createFiles(directory),
    clock: createSystemClock(),
    writer: `bench-${process.pid}`,
    pod: "bench-0",
    eventAgeMsMax: 86_400_000,
  });
}
