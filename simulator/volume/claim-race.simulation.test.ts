import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { raceForClaims } from "./claim-race.ts";

const KEYS = 500;

test("one of two racers wins each key, and the claims confirm the results of both", async () => {
  const directory = await mkdtemp(join(tmpdir(), "claim-race-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const racers = ["one", "two"];
  const results = await Promise.all(
    racers.map((racer) => raceForClaims({ directory, racer, racers, keys: KEYS, headStartMs: 50 })),
  );
  const [one, two] = results.map(({ linked }) => Buffer.from(linked, "hex"));
  const once = Buffer.from((one ?? []).map((byte, index) => byte ^ (two?.[index] ?? 0)));
  // 500 bits are 62 whole bytes and a half.
  expect(once.toString("hex")).toBe(`${"ff".repeat(62)}0f`);
  expect((one ?? []).every((byte, index) => (byte & (two?.[index] ?? 0)) === 0)).toBe(true);
  for (const { linked, owned } of results) {
    expect(owned).toBe(linked);
    expect(/[1-9a-f]/.test(linked)).toBe(true);
  }
  expect(await readdir(join(directory, "temporary"))).toEqual([]);
});

test("a name that races a second time in a directory is refused", async () => {
  const directory = await mkdtemp(join(tmpdir(), "claim-race-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const race = { directory, racer: "one", racers: ["one"], keys: 1, headStartMs: 0 };
  await raceForClaims(race);
  await expect(raceForClaims(race)).rejects.toThrow("EEXIST");
});
