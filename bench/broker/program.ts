/**
 * `node broker/program.ts starts|fill|load|requests|rebalances|joins OPTIONS_JSON` makes one
 * measurement of a broker in a process of its own. It prints what it measured, or why it could not,
 * as JSON.
 */
import { messageOf } from "#consumer/errors.ts";
import { joins, rebalances } from "./groups.ts";
import { fill, load } from "./load.ts";
import { produceRequests } from "./requests.ts";
import { starts } from "./starts.ts";

const [command = "", json = "{}"] = process.argv.slice(2);
const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  starts: () => starts(JSON.parse(json)),
  fill: () => fill(JSON.parse(json)),
  load: () => load(JSON.parse(json)),
  requests: () => produceRequests(JSON.parse(json)),
  rebalances: () => rebalances(JSON.parse(json)),
  joins: () => joins(JSON.parse(json)),
};
const run = commands[command];
if (run === undefined) throw new RangeError(`no command ${command}`);
const result = await run().then(
  (measured) => ({ measured }),
  (error: unknown) => ({ failure: messageOf(error) }),
);
process.stdout.write(`${JSON.stringify(result)}\n`);
// The connections of the clients need not be closed in order.
process.exit(0);
