/** `node volume.ts COMMAND OPTIONS_JSON`: one measurement on a history volume, in a process of its own; prints JSON. */
import { act, type ActOptions } from "./volume/act.ts";
import { replay } from "./volume/replay.ts";
import { askLimits, type LimitsOptions, stockLimits } from "./volume/limits.ts";
import { parse, rewrite, type RewriteOptions } from "./volume/rewrite.ts";
import { recover, stock, type StockOptions } from "./volume/stock.ts";

type Options = ActOptions & LimitsOptions & RewriteOptions & StockOptions;

const COMMANDS: Readonly<Record<string, (options: Options) => unknown>> = {
  act,
  replay,
  stock,
  stockLimits,
  askLimits,
  recover,
  rewrite,
  parse,
};

const [command = "", json = "{}"] = process.argv.slice(2);
const options: Options = JSON.parse(json);
const result: unknown = await COMMANDS[command]?.(options);
process.stdout.write(`${JSON.stringify(result)}\n`);
// A history that was opened to be measured is not closed.
process.exit(0);
