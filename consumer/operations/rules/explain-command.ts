import type { Config } from "#consumer/config/load-config.ts";
import { EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { decode } from "#consumer/planning/decode.ts";
import { firstUnmet } from "#consumer/planning/match/match.ts";
import { namedFields } from "#consumer/planning/named-fields.ts";
import { readInput } from "./input-record.ts";
import type { InputRecord } from "./input-record.ts";
import { rulesUsage } from "./rules-context.ts";
import type { Print, RulesContext } from "./rules-context.ts";

/** Prints for each rule whether it matches each record, and the first condition that does not hold. Throws "usage". */
export async function explain({ config, options, print, stop }: RulesContext): Promise<ExitCode> {
  const { incident: path } = options;
  if (path === undefined) throw rulesUsage("--incident is required");
  for await (const record of readInput([path], process.stdin, stop)) {
    stop.throwIfAborted();
    explainRecord(record, config, options.json === true, print);
  }
  return EXIT_CODE.clean;
}

function explainRecord(
  { place, value }: InputRecord,
  config: Config,
  json: boolean,
  print: Print,
): void {
  const named = namedFields(config.rules);
  const decoded = decode({ value }, config.incident, {
    tagsNamed: named.tags,
    extraNamed: named.extra,
  });
  if (decoded.kind !== "incident") {
    const detail = decoded.kind === "tombstone" ? "has no value" : decoded.rejection.detail;
    print(json ? JSON.stringify({ place, result: "undecodable", detail }) : `${place}: ${detail}`);
    return;
  }
  const { incident } = decoded;
  if (!json) print(`${place}  ${incident.id} ${incident.status}`);
  for (const { name: rule, match, mode } of config.rules) {
    const unmet = firstUnmet(match, incident);
    if (json) {
      print(
        JSON.stringify({
          place,
          incident: incident.id,
          rule,
          mode,
          matches: unmet === undefined,
          ...unmet,
        }),
      );
    } else if (unmet === undefined) {
      const off = mode === "off" ? ", and its mode is off: nothing is done" : "";
      print(`  ${rule} matches: ${JSON.stringify(match)}${off}`);
    } else {
      const values = unmet.values === undefined ? "" : `; the incident has ${shown(unmet.values)}`;
      print(`  ${rule} does not match: ${unmet.path} ${JSON.stringify(unmet.condition)}${values}`);
    }
  }
}

function shown(values: readonly string[]): string {
  return values.length === 0 ? "no value" : values.map((value) => JSON.stringify(value)).join(", ");
}
