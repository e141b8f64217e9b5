import { NAMES } from "#fixtures/configurations.ts";
import type { TestDeployment } from "#e2e/deployment/test-deployment.ts";
import { cutConnections } from "./broker/nodes.ts";

interface Passwords {
  /** The broker's password, once a fault has changed it. */
  present: string;
  /** One symbol for each fault that keeps it from CKMS. */
  readonly withheld: Set<symbol>;
  /** The number of changes, since each deployment needs new names for its secrets. */
  count: number;
}

const passwords = new WeakMap<TestDeployment, Passwords>();

/**
 * Gives the broker a new password, and CKMS too unless a fault keeps it from there, and cuts every
 * connection, so that every client needs it. Nodes that a fault keeps dead stay dead.
 */
export async function changeBrokerPassword(deployment: TestDeployment): Promise<void> {
  const changes = passwordsOf(deployment);
  changes.count += 1;
  changes.present = deployment.freshSecret(`password ${changes.count} of the broker`);
  if (changes.withheld.size === 0) await tellCkms(deployment, changes);
  await deployment.broker.setPassword(deployment.names.username, changes.present);
  await cutConnections(deployment.broker);
}

/** Keeps new passwords from CKMS until it is disposed; of several, until the last one is. */
export function withholdBrokerPassword(deployment: TestDeployment): AsyncDisposable {
  const changes = passwordsOf(deployment);
  const hold = Symbol("withheld");
  changes.withheld.add(hold);
  return {
    [Symbol.asyncDispose]: async () => {
      if (changes.withheld.delete(hold) && changes.withheld.size === 0 && changes.present !== "") {
        await tellCkms(deployment, changes);
      }
    },
  };
}

function passwordsOf(deployment: TestDeployment): Passwords {
  const known = passwords.get(deployment) ?? { present: "", withheld: new Set(), count: 0 };
  passwords.set(deployment, known);
  return known;
}

async function tellCkms(deployment: TestDeployment, { present }: Passwords): Promise<void> {
  await deployment.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, present);
}
