import { runProgram } from "../run-program.ts";
import { median } from "../compare.ts";
import type { Measure } from "../figure.ts";
import type { JudgeOptions, JudgeResult } from "../judge-history.ts";

const EVENTS = 100_000;
const ROUNDS = 5;
const DURATION_MS_MAX = 2000;

/** Figure (j) measures the verdict of all invariants on a long run of chaos. */
export const judging: Measure = async ({ printLine }) => {
  const results: JudgeResult[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const options: JudgeOptions = { eventsMin: EVENTS, seed: round + 1 };
    const result = await runProgram<JudgeResult>("judge-history.ts", [JSON.stringify(options)]);
    printLine(`j: ${result.events} events ${Math.round(result.judgeMs)} ms`);
    results.push(result);
  }
  const judgeMs = median(results.map((result) => result.judgeMs));
  const writeMs = median(results.map((result) => result.writeMs));
  return [
    {
      group: "j",
      what: `judging ${EVENTS.toLocaleString("en")} events of a run`,
      measured: judgeMs,
      unit: "ms",
      peerName: "writing them out as JSON",
      peer: writeMs,
      ratio: judgeMs / writeMs,
      limit: `at most ${DURATION_MS_MAX} ms`,
      reached: judgeMs <= DURATION_MS_MAX,
    },
  ];
};
