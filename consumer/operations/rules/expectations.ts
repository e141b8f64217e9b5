import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

import { readDocument } from "#consumer/config/document.ts";
import type { ConfigDocument } from "#consumer/config/document.ts";
import { section } from "#consumer/config/section.ts";
import { ConsumerError, messageOf } from "#consumer/errors.ts";
import { isJsonObject } from "#consumer/json.ts";
import { RESULTS } from "./prediction.ts";
import type { Prediction } from "./prediction.ts";

const text = z.string().min(1);
const requestSchema = z
  .record(z.string(), z.unknown())
  .describe(
    "Parts of the request that must be equal; a body given as a mapping is compared as JSON.",
  );

const actionSchema = section({
  rule: text.describe("The name of the rule."),
  action: text.describe("The name of the action within its rule."),
  result: z.enum(RESULTS).default("send").describe("What becomes of the action. Default send."),
  request: requestSchema.optional(),
});

const recordSchema = section({
  incident: text.optional().describe("The id of the incident; absent for a record that is none."),
  status: text.optional().describe("The status of the incident. Default any."),
  result: z
    .enum(RESULTS)
    .optional()
    .describe("What becomes of a record that causes no action. Default unmatched without actions."),
  actions: z.array(actionSchema).default([]).describe("Its actions, in their order. Default none."),
});

const testSchema = section({
  name: text.describe("What the test shows, as a sentence."),
  incidents: z
    .array(text)
    .min(1)
    .optional()
    .describe("Files or directories, relative to this file. Default those of --incidents."),
  now: z.iso
    .datetime({ offset: true })
    .optional()
    .describe("The present time that every record is processed at. Default that of --now."),
  expect: z.array(recordSchema).describe("One entry for each record, in their order."),
});

export const expectationsSchema = section({
  version: z.literal(1).describe("Version of this shape: 1."),
  tests: z.array(testSchema).min(1).describe("The tests, each with a history of its own."),
});

type ExpectedRecord = z.output<typeof recordSchema>;

/** A test of an expectations file. */
export interface ExpectationTest {
  readonly name: string;
  /** Absolute paths; undefined for those of the command line. */
  readonly incidents: readonly string[] | undefined;
  readonly nowMs: number | undefined;
  readonly expect: readonly ExpectedRecord[];
  /** Returns where an expected record stands, such as `expectations.yaml:12`. */
  readonly placeOf: (index: number) => string;
}

/** Reads an expectations file. Throws "usage" with every fault of it: file, line, path and rule. */
export async function readExpectations(file: string): Promise<readonly ExpectationTest[]> {
  const content = await readText(file);
  const read = readDocument(content);
  if ("faults" in read) throw faulty(file, read.faults);
  const { document } = read;
  const parsed = expectationsSchema.safeParse(document.value);
  if (!parsed.success) {
    throw faulty(
      file,
      parsed.error.issues.map(
        ({ path, message }) =>
          `${path.map(String).join(".") || "the document"} (${document.lineOf(path)}): ${message}`,
      ),
    );
  }
  return parsed.data.tests.map(({ name, incidents, now, expect }, index) => ({
    name,
    incidents: incidents?.map((path) => resolve(dirname(file), path)),
    nowMs: now === undefined ? undefined : Date.parse(now),
    expect,
    placeOf: (record) => `${file}:${lineNumber(document, ["tests", index, "expect", record])}`,
  }));
}

/** Compares the predictions of one record with what is expected of it. Returns each difference as one sentence. */
export function differencesOf(
  expected: ExpectedRecord,
  predictions: readonly Prediction[],
): readonly string[] {
  const [first] = predictions;
  const actual = predictions.filter(({ rule }) => rule !== null);
  const { incident, status, actions } = expected;
  const differences: string[] = [];
  if ((incident ?? null) !== (first?.incident ?? null)) {
    return [
      `expected ${nameOf(incident ?? null)}, and the record is ${nameOf(first?.incident ?? null)}`,
    ];
  }
  if (status !== undefined && status !== first?.status) {
    differences.push(`expected status ${status}, got ${String(first?.status)}`);
  }
  const result = expected.result ?? (actions.length === 0 ? "unmatched" : undefined);
  if (result !== undefined && actual.length === 0 && result !== first?.result) {
    differences.push(`expected ${result}, got ${describe(first)}`);
  }
  for (let index = 0; index < Math.max(actions.length, actual.length); index += 1) {
    differences.push(...actionDifferences(actions[index], actual[index], first));
  }
  return differences;
}

function actionDifferences(
  wanted: ExpectedRecord["actions"][number] | undefined,
  got: Prediction | undefined,
  first: Prediction | undefined,
): readonly string[] {
  if (wanted === undefined) return [`expected no further action, got ${describe(got)}`];
  const name = `${wanted.rule} / ${wanted.action}`;
  if (got === undefined) {
    return [
      `expected ${name} ${wanted.result}, got ${first?.rule === null ? describe(first) : "no further action"}`,
    ];
  }
  if (wanted.rule !== got.rule || wanted.action !== got.action || wanted.result !== got.result) {
    return [`expected ${name} ${wanted.result}, got ${describe(got)}`];
  }
  return Object.entries(wanted.request ?? {}).flatMap(([part, value]) => {
    const actual = partOf(got, part, value);
    return isDeepStrictEqual(actual, value)
      ? []
      : [`expected ${part} of ${name} ${JSON.stringify(value)}, got ${JSON.stringify(actual)}`];
  });
}

/** A body is compared as JSON where the expectation writes it as a mapping or a list. */
function partOf({ request }: Prediction, part: string, wanted: unknown): unknown {
  const actual: unknown = request === null ? undefined : Reflect.get(request, part);
  if (typeof actual !== "string" || typeof wanted === "string") return actual;
  try {
    return isJsonObject(wanted) || Array.isArray(wanted) ? JSON.parse(actual) : actual;
  } catch {
    return actual;
  }
}

function nameOf(incident: string | null): string {
  return incident === null ? "a record that is no incident" : `incident ${incident}`;
}

function describe(prediction: Prediction | undefined): string {
  if (prediction === undefined) return "nothing";
  const { rule, action, result, detail } = prediction;
  const because = detail === "" ? "" : ` (${detail})`;
  return `${rule === null ? "" : `${rule} / ${String(action)} `}${result}${because}`;
}

async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    throw new ConsumerError("usage", `--expect ${file}: ${messageOf(cause)}`, { cause });
  }
}

function faulty(file: string, faults: readonly string[]): ConsumerError {
  return new ConsumerError(
    "usage",
    `${file} is wrong:\n${faults.map((one) => `  - ${one}`).join("\n")}`,
  );
}

function lineNumber(document: ConfigDocument, path: readonly PropertyKey[]): string {
  return document.lineOf(path).replace("line ", "");
}
