/** `node judge.ts JSON`: judges one run that is random and right, and prints how long that took. */
import { judgeHistory } from "#e2e/checkers/judge-history.ts";
import { writeGoodHistory } from "#e2e/checkers/testing/write-good-history.ts";
import { seededRandom } from "#e2e/base/random.ts";

export interface JudgeOptions {
  /** The run has this many events or a few more. */
  readonly eventsMin: number;
  readonly seed: number;
}

export interface JudgeResult {
  readonly events: number;
  /**
   * In one call, in a process that has judged nothing before. Of the thread's processor time, which is what it takes where nothing else runs:
   * it waits for nothing.
   */
  readonly judgeMs: number;
  /** How long it takes to write the same events as lines of history.ndjson, measured in the same way. */
  readonly writeMs: number;
}

/** Events for each record, at least. */
const EVENTS_PER_RECORD = 10;

const options: JudgeOptions = JSON.parse(process.argv[2] ?? "");
process.stdout.write(`${JSON.stringify(judge(options))}\n`);

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function judge({ eventsMin, seed }: JudgeOptions): JudgeResult {
  const random = seededRandom(seed, "judge");
  const records = Math.ceil(eventsMin / EVENTS_PER_RECORD);
  const whole = writeGoodHistory({
    records,
    partitions: 8,
    choose: (limit) => random.below(limit),
  }).history();
  const startMs = threadMs();
  const { verdicts } = judgeHistory(whole);
  const judgedMs = threadMs();
  const length = whole.events.map((event) => JSON.stringify(event)).join("\n").length;
  const wroteMs = threadMs();
  const wrong = verdicts.filter(({ status }) => status !== "holds");
  if (wrong.length > 0 || whole.events.length < eventsMin || length === 0) {
    throw new Error(`${whole.events.length} events: ${JSON.stringify(wrong).slice(0, 1000)}`);
  }
  return {
    events: whole.events.length,
    judgeMs: judgedMs - startMs,
    writeMs: wroteMs - judgedMs,
  };
}
