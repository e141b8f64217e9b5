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
/** Of node:fs with a callback, as the consumer's adapter for files calls them. */
const ADDITIONS = ["mkdir", "link", "symlink", "writeFile", "appendFile", "copyFile", "truncate"];
const REMOVALS = ["unlink", "rename", "rm", "rmdir"];
const DESCRIPTOR_WRITES = ["write", "writev", "ftruncate"];

/** Paths of the open files of the volume, by descriptor. */
const opened = new Map();

if (root !== null) {
  for (const name of ADDITIONS) guardFunction(name, false);
  for (const name of REMOVALS) guardFunction(name, true);
  for (const name of DESCRIPTOR_WRITES) guardDescriptor(name);
  guardOpen();
  guardClose();
  syncBuiltinESMExports();
}

function guardFunction(name, removal) {
  guard(name, (...parameters) => refusal(name, parameters.find(isOnVolume), removal));
}

function guardDescriptor(name) {
  guard(name, (descriptor) => refusal(name, opened.get(descriptor), false));
}

function guard(name, refuse) {
  const original = fs[name];
  fs[name] = (...parameters) => {
    const error = refuse(...parameters);
    if (error === undefined) original(...parameters);
    else process.nextTick(parameters.at(-1), error);
  };
}

function guardOpen() {
  const original = fs.open;
  fs.open = (path, ...rest) => {
    const callback = rest.at(-1);
    const [flags] = rest;
    const onVolume = isOnVolume(path) ? path : undefined;
    const changes = typeof flags === "function" ? false : mayChange(flags);
    const error = changes ? refusal("open", onVolume, false) : undefined;
    if (error !== undefined) {
      process.nextTick(callback, error);
      return;
    }
    const remember = (failed, descriptor) => {
      if (failed === null && onVolume !== undefined) opened.set(descriptor, onVolume);
      callback(failed, descriptor);
    };
    original(path, ...rest.slice(0, -1), remember);
  };
}

function guardClose() {
  const original = fs.close;
  fs.close = (descriptor, ...rest) => {
    opened.delete(descriptor);
    original(descriptor, ...rest);
  };
}

function mayChange(flags) {
  if (typeof flags === "string") return flags !== "r";
  const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;
  return (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
}

function isOnVolume(path) {
  return typeof path === "string" && resolve(path).startsWith(root + sep);
}

/** Undefined when the call may go on. */
function refusal(syscall, path, removal) {
  if (path === undefined) return undefined;
  const fault = FAULTS.find(({ code }) => fs.existsSync(`${control}.${code}`));
  if (fault === undefined || (removal && !fault.removals)) return undefined;
  const { code, text } = fault;
  fs.appendFileSync(`${control}.hits`, `${code} ${syscall} ${relative(root, path)}\n`);
  return Object.assign(new Error(`${code}: ${text}, ${syscall} '${path}'`), {
    errno: -constants.errno[code],
    code,
    syscall,
    path,
  });
}
