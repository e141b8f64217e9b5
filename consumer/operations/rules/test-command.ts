import { loadConfig } from "#consumer/config/load-config.ts";
import type { Config } from "#consumer/config/load-config.ts";
import { isoInstantMs } from "#consumer/planning/decode.ts";
import { EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { actionDifferences } from "./difference.ts";
import { differencesOf, readExpectations } from "./expectations.ts";
import type { ExpectationTest } from "./expectations.ts";
import { readInput } from "./input-record.ts";
import { differenceLines, recordLines } from "./lines.ts";
import { createPredictor, RESULTS } from "./prediction.ts";
import type { Prediction, Predictor } from "./prediction.ts";
import { counted, rulesUsage } from "./rules-context.ts";
import type { Print, RulesContext } from "./rules-context.ts";

/**
 * Predicts what becomes of incidents, alone or compared with another configuration or with expectations. Throws
 * "usage".
 */
export async function testRules(context: RulesContext): Promise<ExitCode> {
  const { options } = context;
  const { expect, against, incidents } = options;
  if (expect !== undefined && against !== undefined) {
    throw rulesUsage("--expect and --against exclude each other");
  }
  if (expect !== undefined) return compareWithExpectations(context, expect);
  if (incidents === undefined) throw rulesUsage("--incidents is required");
  if (against !== undefined) {
    return compareWithOld(
      context,
      await loadConfig(against, { environment: context.environment }),
      incidents,
    );
  }
  return predictAll(context, incidents);
}

async function predictAll(
  { config, options, print, stop }: RulesContext,
  paths: readonly string[],
): Promise<ExitCode> {
  const predictor = createPredictor({ config, nowMs: nowOf(options) });
  const counts = new Map<string, number>();
  let records = 0;
  for await (const record of readInput(paths, process.stdin, stop)) {
    stop.throwIfAborted();
    records += 1;
    const predictions = predictor.predict(record);
    for (const { result } of predictions) counts.set(result, (counts.get(result) ?? 0) + 1);
    const lines =
      options.json === true
        ? predictions.map((line) => JSON.stringify(line))
        : recordLines(predictions);
    for (const line of lines) print(line);
  }
  if (options.json !== true) printSummary(records, counts, predictor, print);
  return EXIT_CODE.clean;
}

function printSummary(
  records: number,
  counts: ReadonlyMap<string, number>,
  predictor: Predictor,
  print: Print,
): void {
  const results = RESULTS.filter((result) => counts.has(result));
  print("");
  print(
    `${counted(records, "record")}: ${results.map((result) => `${String(counts.get(result))} ${result}`).join(", ")}`,
  );
  for (const rule of predictor.unmatchedRules()) print(`warning: rule ${rule} matched nothing`);
  for (const { incident, status, startedOn } of predictor.movedStarts()) {
    const starts = `${startedOn.length} starts (${startedOn.join(", ")})`;
    print(`warning: incident ${incident} came as ${status} with ${starts}: each acts anew`);
  }
}

async function compareWithOld(
  { config, options, print, stop }: RulesContext,
  old: Config,
  paths: readonly string[],
): Promise<ExitCode> {
  const nowMs = nowOf(options);
  const before = createPredictor({ config: old, nowMs });
  const after = createPredictor({ config, nowMs });
  let records = 0;
  let different = 0;
  for await (const record of readInput(paths, process.stdin, stop)) {
    stop.throwIfAborted();
    records += 1;
    const differences = actionDifferences(before.predict(record), after.predict(record));
    different += differences.length;
    for (const difference of differences) {
      if (options.json === true) print(JSON.stringify(difference));
      else for (const line of differenceLines(difference)) print(line);
    }
  }
  if (options.json !== true) {
    print(`${counted(records, "record")}: ${counted(different, "difference")}`);
  }
  return EXIT_CODE.clean;
}

async function compareWithExpectations(context: RulesContext, file: string): Promise<ExitCode> {
  const tests = await readExpectations(file);
  const matched = new Set<string>();
  let failed = 0;
  for (const one of tests) {
    const differences = await testDifferences(one, context, matched);
    if (differences.length > 0) failed += 1;
    for (const difference of differences) context.print(difference);
  }
  const { config, print } = context;
  const never = config.rules.filter(({ name, mode }) => mode !== "off" && !matched.has(name));
  for (const { name } of never) print(`${file}: rule ${name} matches no incident of any test`);
  print(
    `${counted(tests.length, "test")}, ${failed} failed, ${counted(never.length, "rule")} without a match`,
  );
  return failed + never.length === 0 ? EXIT_CODE.clean : EXIT_CODE.mismatch;
}

async function testDifferences(
  { name, incidents, nowMs, expect, placeOf }: ExpectationTest,
  { config, options, stop }: RulesContext,
  matched: Set<string>,
): Promise<readonly string[]> {
  const paths = incidents ?? options.incidents;
  if (paths === undefined) {
    throw rulesUsage(`test "${name}" names no incidents, and --incidents is not given`);
  }
  const predictor = createPredictor({ config, nowMs: nowMs ?? nowOf(options) });
  const differences: string[] = [];
  let index = 0;
  for await (const record of readInput(paths, process.stdin, stop)) {
    stop.throwIfAborted();
    const predictions = predictor.predict(record);
    for (const { rule } of predictions) if (rule !== null) matched.add(rule);
    const expected = expect[index];
    const found: readonly string[] =
      expected === undefined
        ? [`expected no record ${index + 1}, got ${incidentOf(predictions)}`]
        : differencesOf(expected, predictions);
    const place = placeOf(Math.min(index, Math.max(expect.length - 1, 0)));
    for (const difference of found) {
      differences.push(`${place}: ${name}: ${record.place}: ${difference}`);
    }
    index += 1;
  }
  for (; index < expect.length; index += 1) {
    differences.push(
      `${placeOf(index)}: ${name}: expected a record ${index + 1}, and the input has ended`,
    );
  }
  return differences;
}

function incidentOf([first]: readonly Prediction[]): string {
  return first?.incident ?? "a record that is no incident";
}

function nowOf({ now }: RulesContext["options"]): number | undefined {
  if (now === undefined) return undefined;
  const ms = isoInstantMs(now);
  if (Number.isNaN(ms)) {
    throw rulesUsage(`--now must be ISO 8601 with a zone, such as 2026-01-01T00:00:00Z: ${now}`);
  }
  return ms;
}
