/**
 * `node volume.ts COMMAND OPTIONS_JSON` makes one measurement on a history volume in a process of
 * its own and prints JSON.
 */
import { runActions } from "./volume/run-actions.ts";
import type { ActionOptions } from "./volume/run-actions.ts";
import { repeatOperations } from "./volume/repeat-operations.ts";
import { measureAdmissions, fillDecisions } from "./volume/limits.ts";
import type { LimitsOptions } from "./volume/limits.ts";
import { parse, rewrite } from "./volume/rewrite.ts";
import type { RewriteOptions } from "./volume/rewrite.ts";
import { recover, fillVolume } from "./volume/recover.ts";
import type { FillOptions } from "./volume/recover.ts";

type Options = ActionOptions & LimitsOptions & RewriteOptions & FillOptions;

const COMMANDS: Readonly<Record<string, (options: Options) => unknown>> = {
  runActions,
  repeatOperations,
  fillVolume,
  fillDecisions,
  measureAdmissions,
  recover,
  rewrite,
  parse,
};

const [command = "", json = "{}"] = process.argv.slice(2);
const options: Options = JSON.parse(json);
const result: unknown = await COMMANDS[command]?.(options);
process.stdout.write(`${JSON.stringify(result)}\n`);
// A history that was opened for a measurement is not closed.
process.exit(0);
