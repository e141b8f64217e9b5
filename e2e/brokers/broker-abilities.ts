import type { Ability } from "#e2e/base/abilities.ts";
import type { BrokerArguments } from "#e2e/base/run-arguments.ts";

/**
 * Returns the abilities of a real broker. They depend on two facts: pods may reach it through a TCP proxy of the kit,
 * and the kit may be allowed to change its users.
 */
export function abilitiesOf(ours: {
  readonly proxy: boolean;
  readonly users: boolean;
}): ReadonlySet<Ability> {
  return new Set<Ability>([
    ...(ours.proxy ? (["broker-connections"] as const) : []),
    ...(ours.users ? (["broker-users"] as const) : []),
  ]);
}

const STARTED = abilitiesOf({ proxy: true, users: true });

/** The abilities of each kind of broker, which are known before a broker is started. */
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
  kafka: STARTED,
  redpanda: STARTED,
  external: abilitiesOf({ proxy: false, users: false }),
};
