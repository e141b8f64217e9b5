import { expect, test } from "vitest";
import { attemptPath } from "#consumer/history/base/layout.ts";
import { createMemoryVolume } from "#fixtures/ports/files.ts";
import { createClaimReader } from "./claims.ts";

const KEY = "ab".repeat(32);
const OUTCOME = {
  format: 1,
  key: KEY,
  attempt: 1,
  nonce: "n",
  pod: "of-a-later-version",
  outcome: "rejected",
  detail: "for a reason that comes with it",
  atMs: 1,
};

test("an outcome counts whatever reason a later version gives, so that versions can run side by side", async () => {
  const volume = createMemoryVolume();
  const written = JSON.stringify({ ...OUTCOME, reason: "of-tomorrow" });
  volume.put(attemptPath(KEY, 1, "outcome"), written);
  expect(await createClaimReader(volume.mount()).readOutcome(KEY, 1)).toMatchObject({
    outcome: "rejected",
    reason: "unknown",
    detail: OUTCOME.detail,
  });
});

test("an outcome without a reason was damaged", async () => {
  const volume = createMemoryVolume();
  volume.put(attemptPath(KEY, 1, "outcome"), JSON.stringify(OUTCOME));
  await expect(createClaimReader(volume.mount()).readOutcome(KEY, 1)).rejects.toMatchObject({
    code: "history-damaged",
  });
});
