import { z } from "zod";
import { NAMES } from "#fixtures/configurations.ts";
import { accessRole } from "#simulator/ckms/server.ts";
import { DEPLOYMENTS } from "#simulator/omega/identities.ts";
import type { Stage } from "../../stage.ts";
import { grant, ROLE_DOMAIN } from "../../world.ts";
import { faultKind } from "../fault-kind.ts";
import type { FaultKind, InjectedFault } from "../fault-kind.ts";
import { lastingFault } from "./passing-fault.ts";

/** A secret is asked for at the start and when the broker refuses the one that is held: so each of these lets the password expire. */
const common = {
  scope: "deployment",
  lasting: true,
  needs: ["broker-users", "broker-connections"],
  causes: ["secrets", "rebalances"],
} as const;

/** The password that the broker has now, where a fault changed it. */
const present = new WeakMap<Stage, string>();

const OUTAGES = ["unavailable", "hang", "reset"] as const;

export const CKMS_FAULTS: readonly FaultKind[] = [
  faultKind<{ readonly kind: (typeof OUTAGES)[number] }>({
    ...common,
    name: "ckms.outage",
    title: "CKMS gives no secret while the password of the broker has changed.",
    parameters: z.strictObject({ kind: z.enum(OUTAGES) }),
    draw: (random) => ({ kind: random.pick(OUTAGES) }),
    inject: async ({ stage }, { kind }) => {
      const outage = await stage.ckms.control.outage(kind);
      return await withChangedPassword(stage, "met the outage", async () => {
        await outage[Symbol.asyncDispose]();
      });
    },
  }),
  faultKind({
    ...common,
    name: "ckms.denial",
    title: "The identity loses its role at CKMS while the password of the broker has changed.",
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: async ({ stage }) => {
      const { zms } = stage.athenz;
      const role = accessRole(NAMES.keyGroup);
      zms.deleteMember(ROLE_DOMAIN, role, DEPLOYMENTS.component.principal);
      return await withChangedPassword(stage, "were denied", async () => grant(stage.athenz));
    },
  }),
  faultKind({
    ...common,
    name: "ckms.new-secret",
    title: "The password of the broker is changed, and CKMS has the new one when it is healed.",
    parameters: z.strictObject({}),
    draw: () => ({}),
    inject: async ({ stage }) => await changePassword(stage),
  }),
];

/** The broker has a new password and CKMS too, which `heal` puts right; connections are cut, so that everybody asks. */
async function withChangedPassword(
  stage: Stage,
  what: string,
  heal: () => Promise<void>,
): Promise<InjectedFault> {
  const since = (await stage.ckms.control.requests()).length;
  const password = stage.freshSecret(`password ${since}`);
  await stage.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, password);
  await stage.broker.setPassword(stage.names.username, password);
  present.set(stage, password);
  await stage.broker.restart();
  return lastingFault(async () => {
    const asked = (await stage.ckms.control.requests()).slice(since);
    const failed = asked.filter(({ status }) => status !== 200);
    return failed.length === 0 ? undefined : `${failed.length} requests for the secret ${what}`;
  }, heal);
}

/** First at the broker, in CKMS when it is healed. */
export async function changePassword(stage: Stage): Promise<InjectedFault> {
  const since = (await stage.ckms.control.requests()).length;
  const password = stage.freshSecret(`password ${since}`);
  await stage.broker.setPassword(stage.names.username, password);
  present.set(stage, password);
  await stage.broker.restart();
  return lastingFault(
    async () => {
      const asked = (await stage.ckms.control.requests()).slice(since);
      return asked.length === 0 ? undefined : `the secret was asked for ${asked.length} times`;
    },
    async () => {
      // A later fault may have changed it again.
      const latest = present.get(stage) ?? password;
      await stage.ckms.control.putSecret(NAMES.keyGroup, NAMES.passwordSecret, latest);
    },
  );
}
