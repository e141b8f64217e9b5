import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "#e2e/base/waiting.ts";
import { openFaultTestBed } from "#e2e/chaos/testing/fault-test-bed.ts";
import type { SoakSample } from "./sample.ts";
import { SoakWatch } from "./soak-watch.ts";

const WAIT = { deadlineMs: 30_000 };

test(
  "the runner, each pod and the volume of a deployment are measured until it is taken down, and every sample " +
    "is written",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "soak-watch-"));
    await using _removed = {
      [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }),
    };
    const file = join(directory, "soak.ndjson");
    await using opened = await openFaultTestBed({ replicas: 2 });
    const { deployment } = opened;
    await deployment.ready();
    const watch = SoakWatch.start({ file, intervalMs: 100 });
    await using _ended = watch;
    watch.follow("the deployment", deployment);
    await deployment.publish(3);
    await deployment.allCommitted();
    const has = (wanted: (sample: SoakSample) => boolean) => () => watch.samples.some(wanted);
    await until(
      "every claim is counted, and what the load and the starts allow",
      has(
        ({ subject, measures, allowed }) =>
          subject === "the deployment" &&
          measures.claims === 3 &&
          measures.outcomes === 3 &&
          (measures.journals === 1 || measures.journals === 2) &&
          allowed?.journals === 4 &&
          allowed.claims !== undefined &&
          allowed.claims >= 3,
      ),
      { ...WAIT, seen: () => watch.samples.findLast(({ kind }) => kind === "volume") },
    );
    const pods = new Set(
      watch.samples.filter(({ kind }) => kind === "pod").map(({ subject }) => subject),
    );
    expect(pods.size).toBe(2);
    for (const { measures } of watch.samples.filter(({ kind }) => kind !== "volume")) {
      expect(measures.residentBytes).toBeGreaterThan(2 ** 20);
      expect(measures.heapBytes).toBeGreaterThan(2 ** 20);
      // Only Linux provides it for a pod.
      expect(measures.openFiles ?? Number.POSITIVE_INFINITY).toBeGreaterThan(3);
    }
    for (const { measures } of watch.samples.filter(({ kind }) => kind === "pod")) {
      expect(measures.externalBytes).toBeGreaterThan(2 ** 20);
    }
    watch.leave("the deployment");
    const count = watch.samples.length;
    await until(
      "the runner is still measured",
      () => watch.samples.slice(count).filter(({ kind }) => kind === "runner").length > 3,
      WAIT,
    );
    // One round may have been under way.
    const later = watch.samples.slice(count).slice(-3);
    expect(later.map(({ kind }) => kind)).toEqual(["runner", "runner", "runner"]);
    await watch[Symbol.asyncDispose]();
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(watch.samples);
  },
);
