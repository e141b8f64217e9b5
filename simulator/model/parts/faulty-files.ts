import { HORIZON_DIRECTORY } from "#consumer/history/maintenance/horizon.ts";
import type { Files, WritableFile } from "#consumer/ports.ts";
import { type FileOperation, failure } from "#fixtures/ports/files.ts";
import type { ModelSteps, Purpose, Step } from "#simulator/model/steps.ts";

export interface FaultyFilesOptions {
  /** The process whose calls these are. */
  readonly who: string;
  readonly files: Files;
  readonly steps: ModelSteps;
  /** Names that this machine was told to be absent: what its cache may go on saying. Outlives the process. */
  readonly negatives: Set<string>;
  /** This machine made a name of a horizon file. */
  readonly onNamed: (path: string) => void;
  /** A listing of this machine may lack that name yet. */
  readonly mayBeUnlisted: (path: string) => boolean;
  /** True when nothing is in that directory, or it is not there. */
  readonly isEmpty: (path: string) => boolean;
  /** Takes the effect of a request that arrives late. */
  readonly later: (effect: () => Promise<unknown>) => void;
  readonly violated: (rule: "a failed sync is never tried again on the same file") => void;
}

/** The files of one process, where every call is a step that can fail before, inside and after its effect. */
export function createFaultyFiles(options: FaultyFilesOptions): Files {
  const { files, who, steps, negatives, later } = options;

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
      negatives.delete(path);
      return bytes;
    } catch (error) {
      negatives.add(path);
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
    modifiedMs: (path) => call("modifiedMs", path, () => files.modifiedMs(path)),
    // Of a directory that is not there nothing can be told but that: no step.
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
  let failed = false;
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
      if (failed) violated("a failed sync is never tried again on the same file");
      try {
        await call("dataSync", path, () => file.dataSync(), { purpose });
      } catch (error) {
        failed = true;
        throw error;
      }
    },
    close: () => call("close", path, () => file.close(), { purpose }),
  };
}

const BEGIN_BYTES = 256;

function purposeOf(path: string, bytes: Uint8Array): Purpose {
  if (path.startsWith("journal/")) return "journal";
  const begin = Buffer.from(bytes.subarray(0, BEGIN_BYTES)).toString("latin1");
  if (begin.startsWith("AAHS")) return "snapshot";
  if (begin.includes('"publishedAtMs"')) return "view";
  if (begin.includes('"outcome":')) return "outcome";
  if (begin.includes('"incidentId":')) return "claim";
  if (begin.includes('"startedOnMs":')) return "horizon";
  return "other";
}
