/**
 * Loaded into the consumer by NODE_OPTIONS (volume-fault.ts says how), before any of its own code. While
 * `$TMPDIR/volume-fault.ENOSPC` or `.EROFS` exists, what would change the volume at HISTORY_DIR fails with that
 * error, as the file system itself would say it; every failure is a line of `$TMPDIR/volume-fault.hits`.
 * Permissions would not do: they do not bind root, under which a kit may run.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { constants } from "node:os";
import { join, relative, resolve, sep } from "node:path";

const { HISTORY_DIR, TMPDIR = "/tmp" } = process.env;
const control = join(TMPDIR, "volume-fault");
const root = HISTORY_DIR === undefined ? null : resolve(HISTORY_DIR);

/** A full volume takes no new name and no byte; names can still be removed and replaced. */
const FAULTS = [
  { code: "ENOSPC", text: "no space left on device", removals: false },
  { code: "EROFS", text: "read-only file system", removals: true },
];
const ADDITIONS = ["mkdir", "link", "symlink", "writeFile", "appendFile", "copyFile", "truncate"];
const REMOVALS = ["unlink", "rename", "rm", "rmdir"];
const HANDLE_WRITES = ["write", "writev", "writeFile", "appendFile", "truncate"];

if (root !== null) {
  for (const name of ADDITIONS) guardFunction(name, false);
  for (const name of REMOVALS) guardFunction(name, true);
  guardOpen();
  syncBuiltinESMExports();
}

function guardFunction(name, removal) {
  const original = fs.promises[name];
  fs.promises[name] = async (...parameters) => {
    refuse(name, parameters.find(isOnVolume), removal);
    return await original(...parameters);
  };
}

function guardOpen() {
  const original = fs.promises.open;
  fs.promises.open = async (path, flags = "r", ...rest) => {
    const onVolume = isOnVolume(path) ? path : undefined;
    if (mayChange(flags)) refuse("open", onVolume, false);
    const handle = await original(path, flags, ...rest);
    if (onVolume !== undefined) guardHandle(handle, onVolume);
    return handle;
  };
}

function guardHandle(handle, path) {
  for (const name of HANDLE_WRITES) {
    const original = handle[name];
    handle[name] = async (...parameters) => {
      refuse(name, path, false);
      return await original.apply(handle, parameters);
    };
  }
}

function mayChange(flags) {
  if (typeof flags === "string") return flags !== "r";
  const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;
  return (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
}

function isOnVolume(path) {
  return typeof path === "string" && resolve(path).startsWith(root + sep);
}

function refuse(syscall, path, removal) {
  if (path === undefined) return;
  const fault = FAULTS.find(({ code }) => fs.existsSync(`${control}.${code}`));
  if (fault === undefined || (removal && !fault.removals)) return;
  const { code, text } = fault;
  fs.appendFileSync(`${control}.hits`, `${code} ${syscall} ${relative(root, path)}\n`);
  throw Object.assign(new Error(`${code}: ${text}, ${syscall} '${path}'`), {
    errno: -constants.errno[code],
    code,
    syscall,
    path,
  });
}
