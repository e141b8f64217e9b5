import { describe, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { runCommand } from "#kind/command.ts";
import { notAsked } from "#kind/testing/container-tests.ts";
import { findEngine } from "#kind/engine.ts";
import { OWNER_LABEL, startContainer } from "./start-container.ts";
import type { BrokerPlan, BrokerSoftware } from "./software.ts";
import { selectSoftware } from "./select-software.ts";

const START_MS_MAX = 120_000;
const authority = await createAuthority();
const plan: BrokerPlan = {
  admin: { name: "ADMIN", port: 9100, advertised: "127.0.0.1:41000" },
  podListeners: [],
  certificate: await authority.issue({ commonName: "broker" }),
  authorityPem: authority.certificatePem,
};

/** Returns the ids of the containers that this process has made and not removed. */
async function left(): Promise<string> {
  const filter = `label=${OWNER_LABEL}=${process.pid}`;
  return await runCommand(await findEngine(), ["ps", "--all", "--quiet", "--filter", filter]);
}

const start = (more: Partial<BrokerSoftware>, signal = new AbortController().signal) =>
  startContainer({ software: { ...selectSoftware("kafka", null), ...more }, plan, signal });

describe.skipIf(notAsked() !== "")(`a broker that does not start${notAsked()}`, () => {
  test(
    "ends the start at once, shows its last lines, and leaves no container",
    async () => {
      const prepare = "echo there is no disk; exit 3";
      await expect(start({ prepare })).rejects.toThrow(
        /kafka was not started from the image apache\/kafka.*there is no disk/s,
      );
      await expect(left()).resolves.toBe("");
    },
    START_MS_MAX,
  );

  test(
    "leaves no container when it is interrupted during the start",
    async () => {
      const interrupt = new AbortController();
      const starting = start({}, interrupt.signal);
      starting.catch(() => {});
      await expect.poll(left, { timeout: START_MS_MAX }).not.toBe("");
      interrupt.abort(new Error("interrupted"));
      await expect(starting).rejects.toThrow("interrupted");
      await expect(left()).resolves.toBe("");
    },
    START_MS_MAX,
  );

  test("the error names an image that does not exist", async () => {
    await expect(start({ image: "localhost/no-such-image:1" })).rejects.toThrow(
      "from the image localhost/no-such-image:1",
    );
    await expect(left()).resolves.toBe("");
  });
});
