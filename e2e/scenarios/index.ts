import { UsageError } from "#e2e/errors.ts";
import type { Scenario } from "#e2e/runner/scenario.ts";
import { incidentInActionOut } from "./lifecycle/01-incident-in-action-out.ts";
import { certificatesLate } from "./identity/02-certificates-late.ts";
import { certificatesNever } from "./identity/03-certificates-never.ts";
import { ckmsDeniesThenGrants } from "./identity/04-ckms-denies-then-grants.ts";
import { sameIncidentTwice } from "./lifecycle/05-same-incident-twice.ts";
import { deletedWhileIdle } from "./lifecycle/06-deleted-while-idle.ts";
import { deletedInMidAction } from "./lifecycle/07-deleted-in-mid-action.ts";
import { sigkillAtABarrier } from "./lifecycle/08-sigkill-at-a-barrier.ts";
import { prestopOverruns } from "./lifecycle/09-prestop-overruns.ts";
import { rollingUpdateUnderLoad } from "./lifecycle/10-rolling-update-under-load.ts";
import { crashLoop } from "./lifecycle/11-crash-loop.ts";
import { historySurvives } from "./storage/12-history-survives.ts";
import { logsReachTheCollector } from "./configuration/13-logs-reach-the-collector.ts";
import { undecodableRecord } from "./broker/14-undecodable-record.ts";
import { certificateRotation } from "./identity/15-certificate-rotation.ts";
import { twoReplicas } from "./lifecycle/16-two-replicas.ts";
import { scaledUnderLoad } from "./lifecycle/17-scaled-under-load.ts";
import { deletedWhileWaiting } from "./lifecycle/18-deleted-while-waiting.ts";
import { historyVolumeMissing } from "./storage/19-history-volume-missing.ts";
import { scramRotation } from "./identity/20-scram-rotation.ts";
import { storageFull } from "./storage/21-storage-full.ts";
import { readOnlyVolume } from "./storage/22-read-only-volume.ts";
import { longAction } from "./lifecycle/23-long-action.ts";
import { frozenPastItsSession } from "./lifecycle/24-frozen-past-its-session.ts";
import { commitAppliedThenDropped } from "./broker/25-commit-applied-then-dropped.ts";
import { coordinatorKilledInMidAction } from "./broker/26-coordinator-killed-in-mid-action.ts";
import { leaderMovedUnderLoad } from "./broker/27-leader-moved-under-load.ts";
import { brokerOutage } from "./broker/28-broker-outage.ts";
import { rebalanceStorm } from "./broker/29-rebalance-storm.ts";
import { claimRaceOnTwoNodes } from "./storage/30-claim-race-on-two-nodes.ts";
import { nodeDrained } from "./cluster/31-node-drained.ts";
import { evicted } from "./cluster/32-evicted.ts";
import { outOfMemory } from "./cluster/33-out-of-memory.ts";
import { nodePaused } from "./cluster/34-node-paused.ts";
import { troubleshootingCommands } from "./configuration/35-troubleshooting-commands.ts";
import { manifestsAccepted } from "./configuration/36-manifests-accepted.ts";

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
