import { HORIZON_DIRECTORY, JOURNAL_DIRECTORY } from "#consumer/history/base/layout.ts";
import type { Files, WritableFile } from "#consumer/ports.ts";
import { failure } from "#fixtures/ports/file-failures.ts";
import type { FileOperation } from "#fixtures/ports/files.ts";
import type { ModelSteps, Purpose, Step } from "./steps.ts";

export interface FaultyFilesOptions {
  /** The process that makes the calls. */
  readonly who: string;
  readonly files: Files;
  readonly steps: ModelSteps;
  /**
   * Names that this machine has looked up and not found: its cache may go on saying that they are
   * absent. Outlives the process.
   */
  readonly absentNames: Set<string>;
  /** Called when this machine has created a name in the horizon directory. */
  readonly onNamed: (path: string) => void;
  /** Returns true while a listing on this machine may still lack that name. */
  readonly mayBeUnlisted: (path: string) => boolean;
  /** Returns true when the directory is empty or does not exist. */
  readonly isEmpty: (path: string) => boolean;
  /** Takes the effect of a request that will arrive later. */
  readonly later: (effect: () => Promise<unknown>) => void;
  readonly violated: (rule: "a failed sync is never tried again on the same file") => void;
}

/**
 * Creates the file operations of one process. Every call is a step that can fail before, during and
 * after its effect.
 */
export function createFaultyFiles(options: FaultyFilesOptions): Files {
  const { files, who, steps, absentNames, later } = options;

  const call = async <T>(
    operation: FileOperation,
    path: string,
    effect: () => Promise<T>,
    more: {
      readonly purpose?: Purpose;
      readonly bytes?: Uint8Array;
      readonly stale?: () => Promise<T>;
    } = {},
    part?: (bytes: number) => Promise<unknown>,
  ): Promise<T> => {
    const { purpose, bytes } = more;
    const step: Step = {
      kind: "file",
      phase: "before",
      operation,
      subject: path,
      ...(purpose && { purpose }),
      ...(bytes && { bytes: bytes.length }),
    };
    const how = await steps.step(who, step);
    switch (how.kind) {
      case "fail":
        throw failure(how.code, operation, path);
      case "lose":
        await effect();
        throw failure(how.code, operation, path);
      case "tear":
        await part?.(how.bytes);
        throw failure(how.code, operation, path);
      case "delay":
        later(effect);
        throw failure(how.code, operation, path);
      case "stale":
        if (more.stale) return more.stale();
        throw failure("ENOENT", operation, path);
      case "hold":
      case "go":
    }
    const result = await effect();
    if (how.kind === "hold") await steps.step(who, { ...step, phase: "after" });
    return result;
  };

  const lookUp = async (path: string, effect: () => Promise<Uint8Array>): Promise<Uint8Array> => {
    try {
      const bytes = await effect();
      absentNames.delete(path);
      return bytes;
    } catch (error) {
      absentNames.add(path);
      throw error;
    }
  };

  const listStale = async (path: string): Promise<string[]> =>
    (await files.list(path)).filter((name) => !options.mayBeUnlisted(`${path}/${name}`));

  return {
    makeDirectory: (path) => call("makeDirectory", path, () => files.makeDirectory(path)),
    createExclusive: async (path) =>
      writable(
        await call("createExclusive", path, () => files.createExclusive(path)),
        path,
        call,
        options.violated,
      ),
    read: (path) => call("read", path, () => lookUp(path, () => files.read(path))),
    readFrom: (path, offset, bytesMax) =>
      call("readFrom", path, () => lookUp(path, () => files.readFrom(path, offset, bytesMax))),
    link: (existing, added) =>
      call("link", added, async () => {
        await files.link(existing, added);
        if (added.startsWith(`${HORIZON_DIRECTORY}/`)) options.onNamed(added);
      }),
    rename: (from, to) => call("rename", to, () => files.rename(from, to)),
    unlink: (path) => call("unlink", path, () => files.unlink(path)),
    removeDirectory: (path) => call("removeDirectory", path, () => files.removeDirectory(path)),
    modifiedMs: (path) => call("modifiedMs", path, () => files.modifiedMs(path)),
    // A directory that does not exist has only one answer, so this is not a step.
    list: (path) =>
      options.isEmpty(path)
        ? files.list(path)
        : call("list", path, () => files.list(path), { stale: () => listStale(path) }),
    async *listEach(path) {
      yield* await call("list", path, () => files.list(path));
    },
    syncDirectory: (path) => call("syncDirectory", path, () => files.syncDirectory(path)),
    isMount: () => files.isMount(),
  };
}

type Call = <T>(
  operation: FileOperation,
  path: string,
  effect: () => Promise<T>,
  more?: { readonly purpose?: Purpose; readonly bytes?: Uint8Array },
  part?: (bytes: number) => Promise<unknown>,
) => Promise<T>;

function writable(
  file: WritableFile,
  path: string,
  call: Call,
  violated: FaultyFilesOptions["violated"],
): WritableFile {
  let purpose: Purpose = purposeOf(path, new Uint8Array(0));
  let failedStep = false;
  return {
    append: (bytes) => {
      if (purpose === "other") purpose = purposeOf(path, bytes);
      return call(
        "append",
        path,
        () => file.append(bytes),
        { purpose, bytes },
        (count) => file.append(bytes.subarray(0, count)),
      );
    },
    async dataSync() {
      if (failedStep) violated("a failed sync is never tried again on the same file");
      try {
        await call("dataSync", path, () => file.dataSync(), { purpose });
      } catch (error) {
        failedStep = true;
        throw error;
      }
    },
    close: () => call("close", path, () => file.close(), { purpose }),
  };
}

const BEGIN_BYTES = 256;

function purposeOf(path: string, bytes: Uint8Array): Purpose {
  if (path.startsWith(`${JOURNAL_DIRECTORY}/`)) return "journal";
  const begin = Buffer.from(bytes.subarray(0, BEGIN_BYTES)).toString("latin1");
  if (begin.startsWith("AAHS")) return "snapshot";
  if (begin.includes('"publishedAtMs"')) return "view";
  if (begin.includes('"outcome":')) return "outcome";
  if (begin.includes('"incidentId":')) return "claim";
  if (begin.includes('"startedOnMs":')) return "horizon";
  return "other";
}
