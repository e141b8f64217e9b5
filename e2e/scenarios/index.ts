import { UsageError } from "../errors.ts";
import type { Scenario } from "../scenario.ts";
import { incidentInActionOut } from "./01-incident-in-action-out.ts";
import { certificatesLate } from "./02-certificates-late.ts";
import { certificatesNever } from "./03-certificates-never.ts";
import { ckmsDeniesThenGrants } from "./04-ckms-denies-then-grants.ts";
import { sameIncidentTwice } from "./05-same-incident-twice.ts";
import { deletedWhileIdle } from "./06-deleted-while-idle.ts";
import { deletedInMidAction } from "./07-deleted-in-mid-action.ts";
import { sigkillAtABarrier } from "./08-sigkill-at-a-barrier.ts";
import { prestopOverruns } from "./09-prestop-overruns.ts";
import { rollingUpdateUnderLoad } from "./10-rolling-update-under-load.ts";
import { crashLoop } from "./11-crash-loop.ts";
import { historySurvives } from "./12-history-survives.ts";
import { logsReachTheCollector } from "./13-logs-reach-the-collector.ts";
import { undecodableRecord } from "./14-undecodable-record.ts";
import { certificateRotation } from "./15-certificate-rotation.ts";
import { twoReplicas } from "./16-two-replicas.ts";
import { scaledUnderLoad } from "./17-scaled-under-load.ts";
import { deletedWhileWaiting } from "./18-deleted-while-waiting.ts";
import { historyVolumeMissing } from "./19-history-volume-missing.ts";
import { scramRotation } from "./20-scram-rotation.ts";
import { storageFull } from "./21-storage-full.ts";
import { readOnlyVolume } from "./22-read-only-volume.ts";
import { longAction } from "./23-long-action.ts";
import { frozenPastItsSession } from "./24-frozen-past-its-session.ts";
import { commitAppliedThenDropped } from "./25-commit-applied-then-dropped.ts";
import { coordinatorKilledInMidAction } from "./26-coordinator-killed-in-mid-action.ts";
import { leaderMovedUnderLoad } from "./27-leader-moved-under-load.ts";
import { brokerOutage } from "./28-broker-outage.ts";
import { rebalanceStorm } from "./29-rebalance-storm.ts";
import { claimRaceOnTwoNodes } from "./30-claim-race-on-two-nodes.ts";
import { nodeDrained } from "./31-node-drained.ts";
import { evicted } from "./32-evicted.ts";
import { outOfMemory } from "./33-out-of-memory.ts";
import { nodePaused } from "./34-node-paused.ts";
import { troubleshootingCommands } from "./35-troubleshooting-commands.ts";
import { manifestsAccepted } from "./36-manifests-accepted.ts";

/** Every scenario, by number. */
export const SCENARIOS: readonly Scenario[] = [
  incidentInActionOut,
  certificatesLate,
  certificatesNever,
  ckmsDeniesThenGrants,
  sameIncidentTwice,
  deletedWhileIdle,
  deletedInMidAction,
  sigkillAtABarrier,
  prestopOverruns,
  rollingUpdateUnderLoad,
  crashLoop,
  historySurvives,
  logsReachTheCollector,
  undecodableRecord,
  certificateRotation,
  twoReplicas,
  scaledUnderLoad,
  deletedWhileWaiting,
  historyVolumeMissing,
  scramRotation,
  storageFull,
  readOnlyVolume,
  longAction,
  frozenPastItsSession,
  commitAppliedThenDropped,
  coordinatorKilledInMidAction,
  leaderMovedUnderLoad,
  brokerOutage,
  rebalanceStorm,
  claimRaceOnTwoNodes,
  nodeDrained,
  evicted,
  outOfMemory,
  nodePaused,
  troubleshootingCommands,
  manifestsAccepted,
];

/** By number or name; none means all. Throws UsageError for one that does not exist. */
export function selectScenarios(wanted: readonly string[]): readonly Scenario[] {
  const unknown = wanted.filter((text) => !SCENARIOS.some((scenario) => isNamed(scenario, text)));
  if (unknown.length > 0) {
    throw new UsageError(`no scenario ${unknown.join(", ")}; npm run e2e -- list shows all`);
  }
  if (wanted.length === 0) return SCENARIOS;
  return SCENARIOS.filter((scenario) => wanted.some((text) => isNamed(scenario, text)));
}

function isNamed(scenario: Scenario, text: string): boolean {
  return text === scenario.name || (/^\d+$/.test(text) && Number(text) === scenario.number);
}
