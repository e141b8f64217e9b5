import type { Checker } from "../checker.ts";
import { contractFileParses } from "./contract-file-parses.ts";
import { executionClaimed } from "./execution-claimed.ts";
import { oneExecutionPerAction } from "./one-execution-per-action.ts";
import { oneExecutionPerAttempt } from "./one-execution-per-attempt.ts";

/** Every invariant that a history can be judged by. */
export const CHECKERS: readonly Checker[] = [
  oneExecutionPerAttempt,
  oneExecutionPerAction,
  executionClaimed,
  contractFileParses,
];
