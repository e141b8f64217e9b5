import type { Checker } from "../checker.ts";
import { attemptsInTurn } from "./attempts-in-turn.ts";
import { claimFilesWhole } from "./claim-files-whole.ts";
import { claimsUnchanged } from "./claims-unchanged.ts";
import { cleanStop } from "./clean-stop.ts";
import { committedOwned } from "./committed-owned.ts";
import { committedTerminal } from "./committed-terminal.ts";
import { committedToEnd } from "./committed-to-end.ts";
import { contractFileParses } from "./contract-file-parses.ts";
import { deadLettersDelivered } from "./dead-letters-delivered.ts";
import { everyEventTerminal } from "./every-event-terminal.ts";
import { executionClaimed } from "./execution-claimed.ts";
import { keysDistinct } from "./keys-distinct.ts";
import { oneExecutionPerAction } from "./one-execution-per-action.ts";
import { oneExecutionPerAttempt } from "./one-execution-per-attempt.ts";
import { onlyPlannedActions } from "./only-planned-actions.ts";
import { orderPerIncident } from "./order-per-incident.ts";
import { outcomesTrue } from "./outcomes-true.ts";
import { sentByClaimant } from "./sent-by-claimant.ts";
import { storageFailure } from "./storage-failure.ts";

/**
 * Every invariant that a history can be judged by: safety first, then liveness. What happens inside the files of the volume (recovery is
 * idempotent, any prefix of a journal loads, generations keep the union and never shrink, the deletion of old claims allows no second
 * execution) cannot be seen from outside: `npm run simulate` judges it.
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
