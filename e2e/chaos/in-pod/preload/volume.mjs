import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve, sep } from "node:path";
import { matching } from "./matching.mjs";
import { systemError } from "./system-error.mjs";
import { purposeOf } from "./volume-names.mjs";

/**
 * Calls of node:fs with a callback whose first parameter is a path, with the name that Node gives
 * the system call where it differs.
 */
const BY_PATH = {
  access: ["stat"],
  appendFile: ["write", "open"],
  chmod: ["set-attributes"],
  chown: ["set-attributes"],
  copyFile: ["write", "copyfile"],
  link: ["link"],
  lstat: ["stat"],
  mkdir: ["make-directory"],
  opendir: ["list"],
  readFile: ["read", "open"],
  readdir: ["list", "scandir"],
  realpath: ["stat", "lstat"],
  rename: ["rename"],
  rm: ["unlink"],
  rmdir: ["unlink"],
  stat: ["stat"],
  symlink: ["link"],
  truncate: ["write", "open"],
  unlink: ["unlink"],
  utimes: ["set-attributes", "utime"],
  writeFile: ["write", "open"],
};
/** The second parameter is the name that is created. */
const TWO_PATHS = new Set(["copyFile", "link", "rename", "symlink"]);
const BY_DESCRIPTOR = {
  close: "close",
  fchmod: "set-attributes",
  fchown: "set-attributes",
  fdatasync: "sync",
  fstat: "stat",
  fsync: "sync",
  ftruncate: "write",
  futimes: "set-attributes",
  read: "read",
  readv: "read",
  write: "write",
  writev: "write",
};

/**
 * Applies rules to the calls of node:fs with a callback on the volume at `directory`, as the
 * consumer's adapter makes them. `state.rules` are those in force; `state.met` counts by their
 * number the calls that each has met. Without any rule a call costs one comparison more. `control`
 * is told of every call that a rule meets.
 */
export function guardVolume(directory, state, control) {
  const root = resolve(directory);
  const below = root + sep;
  /** The paths that were opened on the volume, by descriptor. */
  const opened = new Map();
  const close = fs.close;

  /** Returns the path relative to the root; undefined for what is not on the volume. */
  const locate = (path) => {
    if (typeof path !== "string") return undefined;
    const absolute = path.startsWith(below) ? path : resolve(path);
    if (absolute === root) return ".";
    return absolute.startsWith(below) ? absolute.slice(below.length) : undefined;
  };

  const apply = async (rule, call) => {
    state.met.set(rule.id, (state.met.get(rule.id) ?? 0) + 1);
    const { action } = rule;
    if (action.type === "hold") {
      await control.ask(rule.id, call);
      return;
    }
    control.met(rule.id, call);
    if (action.type === "fail") throw systemError(action.code, call.shown);
    await new Promise((end) => {
      setTimeout(end, action.delayMs);
    });
  };

  const meet = async (call, phase) => {
    for (const rule of matching(state, call, phase)) await apply(rule, call);
  };

  /** Returns the values that the call gives to its callback. */
  const make = async (call, original, parameters) => {
    // A descriptor is closed whatever close(2) returns.
    const isClose = call.operation === "close";
    if (!isClose) await meet(call, "before");
    const values = await new Promise((fulfil, reject) => {
      original(...parameters, (error, ...results) => {
        if (error) reject(error);
        else fulfil(results);
      });
    });
    try {
      if (isClose) await meet(call, "before");
      await meet(call, "after");
    } catch (error) {
      // The caller does not learn the descriptor.
      if (call.syscall === "open") close(values[0], () => {});
      throw error;
    }
    return values;
  };

  const guarded = (call, original, parameters) => {
    const end = parameters.pop();
    make(call, original, parameters).then(
      // The callback runs outside of the promise, which must not see what it throws.
      (values) => process.nextTick(end, null, ...values),
      (error) => process.nextTick(end, error),
    );
  };

  const mayMeet = (operation) => state.rules.some((rule) => rule.operations.includes(operation));

  const volume = { state, opened, locate, guarded, mayMeet };
  guardPaths(volume);
  guardDescriptors(volume);
  guardOpen(volume);
  guardListings(locate, mayMeet, make, state);
  syncBuiltinESMExports();
}

/** Guards the calls whose first parameter is a path. */
function guardPaths({ state, locate, guarded, mayMeet }) {
  for (const [name, [operation, syscall = name]] of Object.entries(BY_PATH)) {
    const original = fs[name];
    const hasTwo = TWO_PATHS.has(name);
    replace(name, (...parameters) => {
      if (state.rules.length === 0 || !mayMeet(operation)) return original(...parameters);
      const [path, dest] = parameters;
      const relative = locate(hasTwo ? dest : path);
      if (relative === undefined) return original(...parameters);
      const shown = { syscall, path, dest: hasTwo ? dest : undefined };
      return guarded(
        { operation, syscall, path: relative, purpose: purposeOf(relative), shown },
        original,
        parameters,
      );
    });
  }
}

/** Guards the calls on descriptors that were opened on the volume. */
function guardDescriptors({ state, opened, guarded, mayMeet }) {
  for (const [name, fixed] of Object.entries(BY_DESCRIPTOR)) {
    const original = fs[name];
    replace(name, (...parameters) => {
      const [descriptor] = parameters;
      const file = opened.get(descriptor);
      if (file === undefined) return original(...parameters);
      if (name === "close") opened.delete(descriptor);
      const operation = name === "fsync" && file.isDirectory ? "sync-directory" : fixed;
      if (
        typeof parameters.at(-1) !== "function" ||
        state.rules.length === 0 ||
        !mayMeet(operation)
      ) {
        return original(...parameters);
      }
      const { path, purpose } = file;
      return guarded(
        { operation, syscall: name, path, purpose, shown: { syscall: name } },
        original,
        parameters,
      );
    });
  }
}

/** Guards open, and remembers the descriptors of the volume. */
function guardOpen({ state, opened, locate, guarded, mayMeet }) {
  const open = fs.open;
  replace("open", (...parameters) => {
    const [path, flags] = parameters;
    const relative = locate(path);
    if (relative === undefined) return open(...parameters);
    const purpose = purposeOf(relative);
    const end = parameters.pop();
    const remember = (error, descriptor) => {
      if (!error) {
        opened.set(descriptor, { path: relative, purpose, isDirectory: isDirectory(flags) });
      }
      end(error, descriptor);
    };
    const operation = mayChange(flags) ? "create" : "open";
    if (state.rules.length === 0 || !mayMeet(operation)) return open(...parameters, remember);
    const shown = { syscall: "open", path };
    return guarded({ operation, syscall: "open", path: relative, purpose, shown }, open, [
      ...parameters,
      remember,
    ]);
  });
}

/** Guards listings, which read while they are iterated and may fail in the middle. */
function guardListings(locate, mayMeet, make, state) {
  const { prototype } = fs.Dir;
  const original = Object.getOwnPropertyDescriptor(prototype, "read").value;
  prototype.read = function read(...parameters) {
    const isPlain = parameters.length > 0 || state.rules.length === 0 || !mayMeet("list");
    const relative = isPlain ? undefined : locate(this.path);
    if (relative === undefined) return original.apply(this, parameters);
    const syscall = "scandir";
    const call = {
      operation: "list",
      syscall,
      path: relative,
      purpose: purposeOf(relative),
      shown: { syscall },
    };
    return make(call, (end) => original.call(this, end), []).then(([entry]) => entry);
  };
}

/**
 * Replaces a function and keeps its properties, such as `realpath.native` and what util.promisify
 * looks for.
 */
function replace(name, guard) {
  fs[name] = Object.defineProperties(guard, Object.getOwnPropertyDescriptors(fs[name]));
}

function isDirectory(flags) {
  return typeof flags === "number" && (flags & fs.constants.O_DIRECTORY) !== 0;
}

function mayChange(flags) {
  if (typeof flags === "function" || flags === undefined) return false;
  if (typeof flags === "string") return flags !== "r" && flags !== "rs";
  const { O_WRONLY, O_RDWR, O_CREAT } = fs.constants;
  return (flags & (O_WRONLY | O_RDWR | O_CREAT)) !== 0;
}
