import type { Checker } from "#e2e/checkers/checker.ts";
import { attemptsInTurn } from "./execution/attempts-in-turn.ts";
import { claimFilesWhole } from "./history/claim-files-whole.ts";
import { claimsUnchanged } from "./history/claims-unchanged.ts";
import { cleanStop } from "./execution/clean-stop.ts";
import { committedOwned } from "./offsets/committed-owned.ts";
import { committedTerminal } from "./offsets/committed-terminal.ts";
import { committedToEnd } from "./liveness/committed-to-end.ts";
import { contractFileParses } from "./history/contract-file-parses.ts";
import { deadLettersDelivered } from "./liveness/dead-letters-delivered.ts";
import { everyEventTerminal } from "./liveness/every-event-terminal.ts";
import { executionClaimed } from "./execution/execution-claimed.ts";
import { keysDistinct } from "./execution/keys-distinct.ts";
import { oneExecutionPerAction } from "./execution/one-execution-per-action.ts";
import { oneExecutionPerAttempt } from "./execution/one-execution-per-attempt.ts";
import { onlyPlannedActions } from "./execution/only-planned-actions.ts";
import { orderPerIncident } from "./execution/order-per-incident.ts";
import { outcomesTrue } from "./history/outcomes-true.ts";
import { sentByClaimant } from "./execution/sent-by-claimant.ts";
import { storageFailure } from "./execution/storage-failure.ts";

/**
 * All invariants that a history can be judged by, safety first, then liveness. What happens inside
 * the files of the volume cannot be seen from outside: recovery is idempotent, any prefix of a
 * journal loads, a generation keeps every entry of the ones before it, the deletion of old claims
 * allows no second execution. `npm run simulate` verifies that.
 */
export const CHECKERS: readonly Checker[] = [
  oneExecutionPerAttempt,
  oneExecutionPerAction,
  executionClaimed,
  sentByClaimant,
  onlyPlannedActions,
  attemptsInTurn,
  claimsUnchanged,
  claimFilesWhole,
  outcomesTrue,
  keysDistinct,
  orderPerIncident,
  committedOwned,
  committedTerminal,
  storageFailure,
  cleanStop,
  contractFileParses,
  committedToEnd,
  everyEventTerminal,
  deadLettersDelivered,
];
