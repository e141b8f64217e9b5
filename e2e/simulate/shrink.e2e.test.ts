import { execa } from "execa";
import { expect, test } from "vitest";
import { PLANTED_FAULTS } from "#e2e/chaos/prove/planted-faults.ts";
import { copyConsumer } from "#e2e/chaos/prove/consumer-copy.ts";
import type { ConsumerCopy } from "#e2e/chaos/prove/consumer-copy.ts";

const NOT_DURABLE = "every execution was durably claimed with a nonce of its own run";

/**
 * Writes a copy of the consumer that sends before the name of its claim is durable, so that almost
 * every run violates an invariant.
 */
function copyBroken(signal: AbortSignal): Promise<ConsumerCopy> {
  const planted = PLANTED_FAULTS.find(({ name }) => name === "directory-not-synced");
  if (!planted) throw new Error("directory-not-synced is not planted any more");
  return copyConsumer(planted.edits, signal);
}

function untimed(output: string): string {
  return output.replace(/^1 runs in .*$/m, "");
}

test(
  "a run that fails is shrunk to a few steps, and these fail again in the same way, each time",
  { timeout: 120_000 },
  async ({ signal }) => {
    await using copy = await copyBroken(signal);
    const simulate = async (...argv: string[]): Promise<string> => {
      const { stdout, exitCode } = await execa(
        process.execPath,
        ["e2e/simulate/main.ts", ...argv],
        {
          cwd: copy.directory,
          reject: false,
          cancelSignal: signal,
        },
      );
      expect(exitCode).toBe(1);
      return stdout;
    };
    const found = await simulate("--seed", "1", "--runs", "2");
    expect(found).toContain(`\n  violated: ${NOT_DURABLE} (`);
    const [, before, after] =
      /^shrunk, seed 1: (\d+) steps became (\d+) in [\d.]+ s \(\d+ runs\)$/m.exec(found) ?? [];
    expect(Number(before)).toBeGreaterThan(Number(after));
    expect(Number(after)).toBeLessThanOrEqual(5);
    expect(found).toContain(`\n  still violated: ${NOT_DURABLE} (`);

    const [, steps = ""] =
      /^ {2}replay: npm run simulate -- --seed 1 --steps (\S+)$/m.exec(found) ?? [];
    expect(steps.split(",").length).toBe(Number(after));
    const replayed = await simulate("--seed", "1", "--steps", steps);
    expect(replayed).toContain(`\nFAILED, seed 1:\n  violated: ${NOT_DURABLE} (`);
    expect(replayed).toContain(`\nagain: npm run simulate -- --seed 1 --steps ${steps}`);
    expect(untimed(await simulate("--seed", "1", "--steps", steps))).toBe(untimed(replayed));

    expect(await simulate("--seed", "1", "--runs", "1", "--no-shrink")).not.toMatch(/^shrunk/m);
  },
);
