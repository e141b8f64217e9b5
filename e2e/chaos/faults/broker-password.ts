import { NAMES } from "#fixtures/configurations.ts";
import type { Stage } from "#e2e/deployment/stage.ts";
import { cutConnections } from "./broker/nodes.ts";

interface Passwords {
  /** That of the broker, once a fault has changed it. */
  present: string;
  /** One for each fault that keeps it from CKMS. */
  readonly withheld: Set<symbol>;
  /** How often it was changed: the secrets of a stage have names of their own. */
  count: number;
}

const passwords = new WeakMap<Stage, Passwords>();

/** Gives the broker a new password, and CKMS too unless a fault keeps it from there, and cuts every connection, so that everybody needs it. Nodes that a fault keeps dead stay dead. */
export async function changeBrokerPassword(stage: Stage): Promise<void> {
  const changes = passwordsOf(stage);
  changes.count += 1;
  changes.present = stage.freshSecret(`password ${changes.count} of the broker`);
  if (changes.withheld.size === 0) await tellCkms(stage, changes);
  await stage.broker.setPassword(stage.names.username, changes.present);
  await cutConnections(stage.broker);
}

/** Keeps new passwords from CKMS until it is disposed; of several, until the last one is. */
export function withholdBrokerPassword(stage: Stage): AsyncDisposable {
  const changes = passwordsOf(stage);
  const hold = Symbol("withheld");
  changes.withheld.add(hold);
  return {
    [Symbol.asyncDispose]: async () => {
      if (changes.withheld.delete(hold) && changes.withheld.size === 0 && changes.present !== "")
        await tellCkms(stage, changes);
    },
  };
}

function passwordsOf(stage: Stage): Passwords {
  const known = passwords.get(stage) ?? { present: "", withheld: new Set(), count: 0 };
  passwords.set(stage, known);
  return known;
}

async function tellCkms(stage: Stage, { present }: Passwords): Promise<void> {
  await stage.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, present);
}
