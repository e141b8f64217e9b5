import type { Ability } from "../abilities.ts";
import type { BrokerArguments } from "../broker-arguments.ts";

/** Of a real broker whose pods come through a gate, and whose users are ours. */
export function abilitiesOf(ours: {
  readonly gate: boolean;
  readonly users: boolean;
}): ReadonlySet<Ability> {
  return new Set<Ability>([
    ...(ours.gate ? (["broker-connections"] as const) : []),
    ...(ours.users ? (["broker-users"] as const) : []),
  ]);
}

const SERVED = abilitiesOf({ gate: true, users: true });

/** What each broker is able to do: known before it is started. */
export const BROKER_ABILITIES: Readonly<Record<BrokerArguments["kind"], ReadonlySet<Ability>>> = {
  embedded: new Set<Ability>([
    "fault-rules",
    "forced-rebalance",
    "broker-nodes",
    "broker-connections",
    "broker-requests",
    "broker-history",
    "broker-users",
  ]),
  kafka: SERVED,
  redpanda: SERVED,
  external: abilitiesOf({ gate: false, users: false }),
};
