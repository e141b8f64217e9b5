import { NAMES } from "#fixtures/configurations.ts";
import type { Stage } from "../../stage.ts";

interface Passwords {
  /** That of the broker, once a fault has changed it. */
  present: string;
  /** One for each fault that keeps it from CKMS. */
  readonly withheld: Set<symbol>;
}

const passwords = new WeakMap<Stage, Passwords>();

/** Gives the broker a new password, and CKMS too unless a fault keeps it from there, and cuts every connection, so that everybody needs it. */
export async function changeBrokerPassword(stage: Stage): Promise<void> {
  const changes = passwordsOf(stage);
  const asked = (await stage.ckms.control.requests()).length;
  changes.present = stage.freshSecret(`password ${asked}`);
  if (changes.withheld.size === 0) await tellCkms(stage, changes);
  await stage.broker.setPassword(stage.names.username, changes.present);
  await stage.broker.restart();
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
  const known = passwords.get(stage) ?? { present: "", withheld: new Set() };
  passwords.set(stage, known);
  return known;
}

async function tellCkms(stage: Stage, { present }: Passwords): Promise<void> {
  await stage.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, present);
}
