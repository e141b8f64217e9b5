import { defineConfig } from "vitest/config";

/**
 * unit: pure code and single adapters, milliseconds each.
 * simulation: a simulator or the consumer's core as a whole, in this process, over loopback at most.
 * e2e: the kit itself with real child processes (the scenarios have their own command, `npm run e2e`).
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: ["**/*.simulation.test.ts", "**/*.e2e.test.ts", "node_modules/**"],
          // Properties that take 50 ms alone: on a machine that is busy with other things, seconds.
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "simulation",
          include: ["**/*.simulation.test.ts"],
          exclude: ["node_modules/**"],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["**/*.e2e.test.ts"],
          exclude: ["node_modules/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
