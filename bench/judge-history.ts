/** `node judge-history.ts JSON` judges one random, correct run and prints how long that took. */
import { judgeHistory } from "#e2e/checkers/judge-history.ts";
import { writeGoodHistory } from "#e2e/checkers/testing/write-good-history.ts";
import { seededRandom } from "#e2e/base/random.ts";

export interface JudgeOptions {
  /** The smallest number of events of the run. */
  readonly eventsMin: number;
  readonly seed: number;
}

export interface JudgeResult {
  readonly events: number;
  /**
   * The processor time of the thread for one call, in a process that has judged nothing before. It
   * waits for nothing, so that this is its duration on an idle machine.
   */
  readonly judgeMs: number;
  /** The time for writing the same events as lines of history.ndjson, measured in the same way. */
  readonly writeMs: number;
}

/** The smallest number of events for each record. */
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
