import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";

import { faultsOfAction } from "#fixtures/rule-faults.ts";
import { configSchema } from "./schema.ts";
import { PORTS_NEVER_SENT_TO } from "./destinations.ts";

describe("an action over plain http", () => {
  test.each([
    "http://tickets.test/incidents",
    "HTTP://tickets.test/incidents",
    "http://10.0.0.1/",
    "http://0.0.0.0/",
    "http://localhost.test/",
    "http://127.0.0.1.test/",
    "http://test.localhost/",
    "http://128.0.0.1/",
    "http://[::2]/",
    "http://[::ffff:10.0.0.1]/",
    "http://tickets.test/http://127.0.0.1/{{key}}",
  ])("to %s is refused, unless it says so", (url) => {
    expect(faultsOfAction({ url })).toEqual([
      expect.stringMatching(/actions\[0\]\.url \(line 14\): must be https/),
    ]);
    expect(faultsOfAction({ url, insecure: true })).toEqual([]);
  });

  test.each([
    "http://localhost:8080/{{key}}",
    "http://LOCALHOST/",
    "http://127.0.0.1:8080/",
    "http://127.8.9.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://[::1]:8080/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
  ])("to %s stays on this host", (url) => {
    expect(faultsOfAction({ url })).toEqual([]);
  });

  test("is what insecure is for, and nothing else", () => {
    expect(faultsOfAction({ insecure: true })).toEqual([
      expect.stringContaining("actions[0].insecure (line 15): is for an http url"),
    ]);
    expect(faultsOfAction({ url: "http://t.test/", insecure: true, useIdentity: true })).toEqual([
      expect.stringContaining("useIdentity"),
    ]);
  });
});

const ckmsAt = (port: string) => ({ url: `https://ckms.test:${port}`, keyGroup: "g" });

describe("a port to which nothing is ever sent", () => {
  const constants: { badPorts: string[] } = createRequire(import.meta.url)(
    "undici/lib/web/fetch/constants.js",
  );

  test("is one of those of fetch, or none at all", () => {
    expect([...PORTS_NEVER_SENT_TO].toSorted()).toEqual(["0", ...constants.badPorts].toSorted());
  });

  test.each([...constants.badPorts, "0"])("%s is refused", async (port) => {
    expect(faultsOfAction({ url: `https://t.test:${port}/{{key}}` })).toEqual([
      expect.stringContaining("must not have port"),
    ]);
    if (port === "0") return;
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      cause: { message: "bad port" },
    });
  });

  test("is refused for CKMS as well", () => {
    expect(configSchema.shape.ckms.safeParse(ckmsAt("4443")).success).toBe(true);
    expect(configSchema.shape.ckms.safeParse(ckmsAt("10080")).error?.issues).toMatchObject([
      { path: ["url"], message: expect.stringContaining("must not have port 10080") },
    ]);
  });

  test("is no other one", () => {
    for (const port of ["80", "443", "8080", "8443", "10081", "65535"]) {
      expect(faultsOfAction({ url: `https://t.test:${port}/` })).toEqual([]);
    }
  });
});
