import { isMainThread } from "node:worker_threads";
import { clockAheadMs, installClock, moveClock } from "./clock.mjs";
import { connectControl } from "./control.mjs";
import { guardVolume } from "./volume.mjs";

/**
 * Runs before any code of a program in a pod, by NODE_OPTIONS. By itself it changes nothing, and
 * takes its rules from the kit.
 */
if (isMainThread) {
  const {
    POD_FAULT_CONTROL = "",
    POD_FAULT_WAIT_MS = "5000",
    POD_NAME = "",
    HISTORY_DIR,
  } = process.env;
  const [, host, port, token] = /^(.+):([0-9]+) ([0-9a-f]+)$/.exec(POD_FAULT_CONTROL) ?? [];
  if (host === undefined) throw new Error("POD_FAULT_CONTROL must be HOST:PORT TOKEN");
  const state = { rules: [], met: new Map() };
  installClock();
  const control = await connectControl({
    host,
    port: Number(port),
    token,
    pod: POD_NAME,
    waitMsMax: Number(POD_FAULT_WAIT_MS),
    takeState: ({ rules, clockOffsetMs }) => {
      state.rules = rules;
      moveClock(clockOffsetMs);
      return clockAheadMs();
    },
  });
  if (HISTORY_DIR !== undefined) guardVolume(HISTORY_DIR, state, control);
}
