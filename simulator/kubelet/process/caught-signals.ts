import { readFileSync } from "node:fs";
import { constants } from "node:os";

/**
 * Tells whether the signal would reach PID 1 of a PID namespace: the kernel drops signals that PID
 * 1 does not catch, except SIGKILL and SIGSTOP from outside. Returns true where /proc does not tell
 * (macOS).
 */
export function reachesFirstProcess(pid: number, signal: NodeJS.Signals): boolean {
  if (signal === "SIGKILL" || signal === "SIGSTOP" || signal === "SIGCONT") {
    return true;
  }
  const caught = readCaughtSignals(pid);
  return caught === undefined || (caught >> BigInt(constants.signals[signal] - 1)) % 2n === 1n;
}

function readCaughtSignals(pid: number): bigint | undefined {
  try {
    const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(
      readFileSync(`/proc/${pid}/status`, "latin1"),
    )?.[1];
    return mask === undefined ? undefined : BigInt(`0x${mask}`);
  } catch {
    return undefined;
  }
}
