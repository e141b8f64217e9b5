import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { chaosArguments } from "#e2e/cli/chaos-arguments.ts";
import { makeOwnedDirectory, removeDirectory } from "#e2e/base/owned-directory.ts";
import { runProve } from "./prove/run-prove.ts";
import { runChaos } from "./run-chaos.ts";

test.each([
  ["chaos", runChaos, false],
  ["chaos --prove", runProve, true],
])(
  "%s refuses what cannot be drawn before it makes or starts anything",
  async (_, run, isProof) => {
    await using directory = new AsyncDisposableStack();
    const artifacts = directory.adopt(await makeOwnedDirectory(), removeDirectory);
    const before = await readdir(artifacts);
    const values = { artifacts, faults: "node", ...(isProof && { prove: true }) };
    const running = run({
      arguments: chaosArguments(values, [], {}, 1),
      terminal: { isTTY: false, write: () => true },
      signal: new AbortController().signal,
    });
    await expect(running).rejects.toThrow(
      "at which one of these faults can be injected: node.drain, node.pause; the load causes actions, " +
        "dead-letters",
    );
    expect(await readdir(artifacts)).toEqual(before);
  },
);
