import { expect, vi, test } from "vitest";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAthenz } from "./server.ts";
import { startSia } from "./sia.ts";

test("asks once more when a refresh is requested during a request", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sia-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(directory, { recursive: true }));
  const athenz = cleanup.use(await startAthenz());
  const hang = athenz.zts.faults.add({ action: { type: "hang" } });
  const sia = cleanup.use(
    startSia({
      ztsUrl: athenz.ztsUrl,
      ztsAuthorityPem: athenz.authority.certificatePem,
      provider: "simulator.kubernetes",
      domain: "sre",
      service: "consumer",
      instanceId: "pod-1",
      attestationData: "",
      directory,
      delayMs: 0,
      refreshMs: 3_600_000,
      retryMs: 20,
      rotationGapMs: 0,
      log: () => {},
    }),
  );
  await vi.waitFor(async () => expect(await hang.hits()).toBe(1));
  sia.refreshNow();
  await hang[Symbol.asyncDispose]();
  await vi.waitFor(() => {
    const issued = athenz.zts.events().filter(({ type }) => type !== "withheld");
    expect(issued.map(({ type }) => type)).toEqual(["registered", "refreshed"]);
  });
});
