import { ConsumerError, messageOf, systemCode } from "#consumer/errors.ts";
import type { Files } from "#consumer/ports.ts";
import type { AtomicFiles } from "./atomic-files.ts";
import { TEMPORARY_DIRECTORY } from "./layout.ts";

/** The error codes of a file system that does not support an operation at all. */
const INCAPABLE = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EXDEV",
  "EMLINK",
  "EINVAL",
]);

/**
 * Proves at the start that the volume can do everything that the protocol of claims needs: link(2) and open(2) refuse
 * a name that is taken, rename(2) replaces, and a directory can be listed and synced. Without this a pod would be
 * ready and then fail at its first incident. Throws "history-unavailable" and the volume's errors.
 */
export async function proveVolume(
  files: Files,
  atomicFiles: Pick<AtomicFiles, "write">,
): Promise<void> {
  const first = await atomicFiles.write([FIRST]);
  const second = await atomicFiles.write([SECOND]);
  const name = `${first}.proof`;
  const made = new Set([name, first, second]);
  try {
    await able("link(2)", () => takenOr(files.link(first, name)));
    await expectContent(files, name, FIRST, "link(2) gives a file another content");
    if (!(await able("link(2)", () => takenOr(files.link(second, name))))) {
      throw unfit("link(2) takes a name that is taken");
    }
    await expectContent(files, name, FIRST, "link(2) replaces what is there");
    if (!(await able("open(2)", () => takenOr(createAgain(files, name))))) {
      throw unfit("open(2) with O_EXCL takes a name that is taken");
    }
    await able("rename(2)", () => files.rename(second, name));
    await expectContent(files, name, SECOND, "rename(2) does not replace");
    await able("fsync(2) of a directory", () => files.syncDirectory(TEMPORARY_DIRECTORY));
    await able("reading a directory", () => files.list(TEMPORARY_DIRECTORY));
    await able("unlink(2)", () => files.unlink(name).catch(ignoreAbsence));
    made.delete(name);
    made.delete(second);
  } finally {
    for (const path of made) await files.unlink(path).catch(() => undefined);
  }
}

const FIRST = new TextEncoder().encode("first\n");
const SECOND = new TextEncoder().encode("second\n");

/** Returns true when the name was taken, possibly by this same call when its first reply was lost. */
async function takenOr(call: Promise<void>): Promise<boolean> {
  try {
    await call;
    return false;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return true;
    throw error;
  }
}

/** The file is absent when the first reply to the same call was lost. */
function ignoreAbsence(error: unknown): void {
  if (systemCode(error) !== "ENOENT") throw error;
}

async function createAgain(files: Files, path: string): Promise<void> {
  await (await files.createExclusive(path)).close();
}

async function expectContent(
  files: Files,
  path: string,
  content: Uint8Array,
  fault: string,
): Promise<void> {
  let present: Uint8Array | undefined;
  try {
    present = await files.read(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  if (!present || !Buffer.from(content).equals(present)) throw unfit(fault);
}

async function able<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!INCAPABLE.has(systemCode(error) ?? "")) throw error;
    throw unfit(`${what} fails: ${messageOf(error)}`, error);
  }
}

function unfit(fault: string, cause?: unknown): ConsumerError {
  return new ConsumerError(
    "history-unavailable",
    `history volume: ${fault}; it needs exclusive hard links and durable names (NFS 4, EFS, ext4 and XFS have them)`,
    cause === undefined ? {} : { cause },
  );
}
