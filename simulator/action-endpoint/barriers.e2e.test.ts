import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { createAuthority } from "#fixtures/certificates.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { startActionEndpoint } from "./action-endpoint.ts";

/**
 * The client sends one request and waits for the answer. Its exit code is the status of the answer
 * less 200.
 */
const CLIENT = `
  const response = await fetch(process.argv[1], { method: "POST", body: "{}", headers: { "idempotency-key": "k" } });
  process.exit(response.status - 200);
`;

describe("a client that is killed at a barrier", () => {
  test.each(["http", "https"] as const)(
    "leaves one effect after after-effect, none after before-request (%s)",
    async (protocol) => {
      const { options, ca } = await secure(protocol);
      await using endpoint = await startActionEndpoint(options);
      {
        await using hold = await endpoint.control.hold("after-effect");
        await using client = startClient(endpoint.url, ca);
        await hold.arrived;
        expect(await endpoint.control.byKey("k")).toHaveLength(1);
        await client.kill();
        await hold.release();
      }
      expect(await endpoint.control.byKey("k")).toHaveLength(1);
      {
        await using hold = await endpoint.control.hold("before-request");
        await using client = startClient(endpoint.url, ca);
        await hold.arrived;
        await client.kill();
        await hold.release();
        expect(await hold.hits()).toBe(1);
      }
      await untilServing(endpoint.url, ca);
      expect(await endpoint.control.byKey("k")).toHaveLength(1);
      expect(await endpoint.control.duplicates()).toEqual(new Map());
    },
  );

  test("serves a client that lives", async () => {
    await using endpoint = await startActionEndpoint();
    await using hold = await endpoint.control.hold("before-request");
    await using client = startClient(endpoint.url);
    await hold.arrived;
    expect(await endpoint.control.requests()).toEqual([]);
    await hold.release();
    expect(await client.exitCode).toBe(0);
    expect(await endpoint.control.byKey("k")).toHaveLength(1);
  });
});

async function secure(protocol: "http" | "https") {
  if (protocol === "http") return { options: {}, ca: undefined };
  const authority = await createAuthority();
  const tls = await authority.issue({ commonName: "action-endpoint", ipAddresses: ["127.0.0.1"] });
  return { options: { tls }, ca: authority.certificatePem };
}

/** Sends a request that is answered only after everything that came before it was handled. */
async function untilServing(url: string, authority: string | undefined): Promise<void> {
  const { status } = await requestJson(`${url}/serving`, { method: "POST", authority });
  expect(status).toBe(200);
}

function startClient(url: string, ca?: string) {
  const trust =
    ca === undefined
      ? ""
      : `(await import("node:tls")).setDefaultCACertificates([${JSON.stringify(ca)}]);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", trust + CLIENT, url], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exitCode = once(child, "exit").then(([code]: unknown[]) => code);
  return {
    exitCode,
    kill: async () => {
      child.kill("SIGKILL");
      await exitCode;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exitCode;
    },
  };
}
