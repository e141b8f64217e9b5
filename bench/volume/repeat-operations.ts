import { randomBytes } from "node:crypto";
import { createFiles } from "#consumer/adapters/files/files.ts";
import type { Files, WritableFile } from "#consumer/ports.ts";
import { productionConfig } from "../settings.ts";
import { batchOf, uniqueRecords } from "./run-actions.ts";
import type { ActionOptions, ActionResult } from "./run-actions.ts";
import { openPipeline } from "./open.ts";
import { slowCalls } from "./slow-calls.ts";

/** One file operation of one action, as the consumer did it. */
type Operation =
  | { readonly name: "createExclusive" | "dataSync" | "close"; readonly path: string }
  | { readonly name: "append"; readonly path: string; readonly bytes: Uint8Array }
  | { readonly name: "read" | "readFrom" | "unlink" | "syncDirectory"; readonly path: string }
  | { readonly name: "link" | "rename"; readonly path: string; readonly to: string };

const JOURNAL = "journal/replay.log";
const WARM_TRACE = 3;
const HOUR_MS = 3_600_000;

/**
 * Measures the bare file operations: what the consumer does on the volume for one action is
 * recorded and repeated for other keys and names, with as much concurrency as the consumer has
 * lanes and nothing between the operations. Appends to the journal share their syncs as the
 * consumer's do.
 */
export async function repeatOperations({
  directory,
  actions,
  delayMs,
}: ActionOptions): Promise<ActionResult> {
  const { operations, key } = await traceOfOneAction(`${directory}/trace`);
  const files = createFiles(directory);
  for (const name of ["temporary", "journal"]) await files.makeDirectory(name);
  for (let shard = 0; shard < 256; shard += 1) {
    await files.makeDirectory(`claims/${shard.toString(16).padStart(2, "0")}`);
  }
  const journal = createSharedJournal(await files.createExclusive(JOURNAL));
  await using slow = delayMs > 0 ? await slowCalls(delayMs) : undefined;
  const startMs = performance.now();
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < actions) {
      begun += 1;
      await repeat(operations, key, files, journal);
    }
  };
  const { lanesMax } = productionConfig().execution;
  await Promise.all(Array.from({ length: lanesMax }, lane));
  return { durationMs: performance.now() - startMs, calls: slow?.calls() ?? 0 };
}

async function repeat(
  operations: readonly Operation[],
  key: string,
  files: Files,
  journal: SharedJournal,
): Promise<void> {
  const own = randomBytes(32).toString("hex");
  const open = new Map<string, WritableFile>();
  const moved = (path: string): string =>
    path.startsWith("temporary/")
      ? `${path}.${own}`
      : path.replaceAll(key, own).replace(`claims/${key.slice(0, 2)}`, `claims/${own.slice(0, 2)}`);
  for (const operation of operations) {
    const path = moved(operation.path);
    if (path.startsWith("journal/")) {
      if (operation.name === "append") await journal.append(operation.bytes);
      continue;
    }
    const file = open.get(path);
    if (operation.name === "createExclusive") open.set(path, await files.createExclusive(path));
    else if (operation.name === "append") await file?.append(operation.bytes);
    else if (operation.name === "dataSync") await file?.dataSync();
    else if (operation.name === "close") await file?.close();
    else if (operation.name === "link") await files.link(path, moved(operation.to));
    else if (operation.name === "rename") await files.rename(path, moved(operation.to));
    else if (operation.name === "unlink") await files.unlink(path);
    else if (operation.name === "syncDirectory") await files.syncDirectory(path);
    // As in the consumer, most names that are looked up do not exist.
    else await files.read(path).catch(() => undefined);
  }
}

interface SharedJournal {
  append(bytes: Uint8Array): Promise<void>;
}

function createSharedJournal(file: WritableFile): SharedJournal {
  let waiting: { bytes: Uint8Array; done: () => void }[] = [];
  let flushing = false;
  const flush = async (): Promise<void> => {
    flushing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await file.append(Buffer.concat(batch.map(({ bytes }) => bytes)));
      await file.dataSync();
      for (const { done } of batch) done();
    }
    flushing = false;
  };
  return {
    append: (bytes) =>
      new Promise((resolve) => {
        waiting.push({ bytes, done: resolve });
        if (!flushing) void flush();
      }),
  };
}

/**
 * Records the last of some actions that run one after the other; the first ones also create
 * directories and the journal.
 */
async function traceOfOneAction(
  directory: string,
): Promise<{ operations: readonly Operation[]; key: string }> {
  const real = createFiles(directory);
  const operations: Operation[] = [];
  const file = (path: string, opened: WritableFile): WritableFile => ({
    append: (bytes) => {
      operations.push({ name: "append", path, bytes });
      return opened.append(bytes);
    },
    dataSync: () => {
      operations.push({ name: "dataSync", path });
      return opened.dataSync();
    },
    close: () => {
      operations.push({ name: "close", path });
      return opened.close();
    },
  });
  const on = <T>(operation: Operation, result: Promise<T>): Promise<T> => {
    operations.push(operation);
    return result;
  };
  const files: Files = {
    ...real,
    createExclusive: async (path) =>
      file(path, await on({ name: "createExclusive", path }, real.createExclusive(path))),
    read: (path) => on({ name: "read", path }, real.read(path)),
    readFrom: (path, offset) => on({ name: "readFrom", path }, real.readFrom(path, offset)),
    link: (path, to) => on({ name: "link", path, to }, real.link(path, to)),
    rename: (path, to) => on({ name: "rename", path, to }, real.rename(path, to)),
    unlink: (path) => on({ name: "unlink", path }, real.unlink(path)),
    syncDirectory: (path) => on({ name: "syncDirectory", path }, real.syncDirectory(path)),
  };
  // No publication and no probe come in between.
  const [publishIntervalMs, probeIntervalMs] = [HOUR_MS, HOUR_MS];
  await using pipeline = await openPipeline(directory, {
    files,
    publishIntervalMs,
    probeIntervalMs,
  });
  // This creates every shard, so that none is created while the trace is recorded.
  await pipeline.handle(batchOf(uniqueRecords(WARM_TRACE * 512)));
  operations.length = 0;
  await pipeline.handle(batchOf(uniqueRecords(1)));
  const claim = operations.find(({ name, path }) => name === "read" && path.endsWith(".claim"));
  const key = /[0-9a-f]{64}/.exec(claim?.path ?? "")?.[0];
  if (key === undefined) throw new Error("the recorded action read no claim");
  return { operations: [...operations], key };
}
