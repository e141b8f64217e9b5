import type { FaultKind } from "#e2e/chaos/fault-kind.ts";
import {
  brokerAppliedThenDropped,
  brokerDeaf,
  brokerDelayed,
  brokerErrors,
  brokerPodCutOff,
} from "./broker/exchanges.ts";
import {
  brokerCoordinatorKilled,
  brokerLeaderMoved,
  brokerNodeKilled,
  brokerOutage,
  brokerRebalance,
} from "./broker/nodes.ts";

export const BROKER_FAULTS: readonly FaultKind[] = [
  brokerNodeKilled,
  brokerCoordinatorKilled,
  brokerLeaderMoved,
  brokerRebalance,
  brokerOutage,
  brokerPodCutOff,
  brokerDeaf,
  brokerAppliedThenDropped,
  brokerDelayed,
  brokerErrors,
];
