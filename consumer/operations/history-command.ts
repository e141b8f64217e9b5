import { ConsumerError, EXIT_CODE } from "#consumer/errors.ts";
import type { ExitCode } from "#consumer/errors.ts";
import { ATTEMPT_OUTCOMES } from "#consumer/history/base/entry.ts";
import type { HistoryEntry } from "#consumer/history/base/entry.ts";
import type { CommandContext, Options } from "./command-line.ts";
import { choiceOption, countOption } from "./options.ts";
import { verifyVolume } from "./verify.ts";
import { readVolume } from "./volume.ts";
import type { Attempt, ReadableFiles, Volume } from "./volume.ts";

/** Runs `history list`, `show`, `stats` or `verify`, which only read. Pods may be at work on the volume meanwhile. */
export async function runHistory(
  name: string,
  key: string | undefined,
  options: Options,
  { files, directory }: { files: ReadableFiles; directory: string },
  { print }: CommandContext,
): Promise<ExitCode> {
  const volume = await readVolume(files, directory);
  const json = options.json === true;
  if (name === "show") await show(volume, key ?? "", json, print);
  else if (name === "stats") await stats(volume, json, print);
  else if (name === "list") await list(volume, options, print);
  else {
    const { faults, checked } = await verifyVolume(volume, files);
    for (const fault of faults) print(`fault: ${fault}`);
    for (const stray of volume.strays) print(`ignored: ${stray} is not a file of the history`);
    print(`${checked} keys, ${faults.length} faults`);
    return faults.length === 0 ? EXIT_CODE.clean : EXIT_CODE.internal;
  }
  return EXIT_CODE.clean;
}

const STATES = [...ATTEMPT_OUTCOMES, "open", "unreadable"] as const;

/** The last attempt of a key, as `history list` prints it. */
interface Line {
  readonly key: string;
  readonly state: (typeof STATES)[number];
  readonly attempt: number;
  readonly atMs: number;
  readonly rule: string;
  readonly action: string;
  readonly incidentId: string;
  readonly pod: string;
  readonly note: string;
}

async function list(volume: Volume, options: Options, print: (line: string) => void) {
  const outcome = choiceOption("outcome", options.outcome, STATES);
  const max = countOption("max", options.max, 100);
  const lines = (await allLines(volume))
    .filter(({ state }) => outcome === undefined || state === outcome)
    .filter(({ rule }) => options.rule === undefined || rule === options.rule)
    .toSorted((one, other) => other.atMs - one.atMs);
  for (const line of lines.slice(0, max)) {
    print(options.json === true ? JSON.stringify(line) : shown(line));
  }
  if (options.json === true) return;
  print(`${Math.min(max, lines.length)} of ${lines.length}, newest first`);
  const { complaints, strays } = volume;
  if (complaints.length + strays.length > 0) {
    print(
      `${complaints.length} complaints, ${strays.length} names ignored: history verify lists them`,
    );
  }
}

function shown({ key, state, attempt, atMs, rule, action, incidentId, note }: Line): string {
  const text = `${isoTime(atMs)}  ${key}  ${state.padEnd(18)} ${attempt}  ${rule}/${action}  ${incidentId}`;
  return note === "" ? text : `${text}  (${note})`;
}

/** Returns a line for each key: from the journals for a key that is done, and otherwise from its claims. */
async function allLines({ history, keys, attempts }: Volume): Promise<Line[]> {
  const lines = new Map<string, Line>();
  for (const entry of history.index.entries()) lines.set(entry.key, lineOfEntry(entry));
  for (const key of await keys()) {
    const known = lines.get(key);
    if (known?.state === "done") continue;
    const tried = await attempts(key);
    if (tried.length > 0) lines.set(key, lineOfAttempts(key, tried, history.index.find(key)));
  }
  return [...lines.values()];
}

function lineOfEntry(entry: HistoryEntry): Line {
  const { key, attempt, atMs, rule, action, incidentId, pod, outcome } = entry;
  return { key, state: outcome, attempt, atMs, rule, action, incidentId, pod, note: "" };
}

const NOTED_REASONS: ReadonlySet<string> = new Set(["manual", "suppressed", "request-changed"]);

/** Describes the last attempt. What its claim cannot say any more is taken from another file of the key. */
function lineOfAttempts(
  key: string,
  tried: readonly Attempt[],
  entry: HistoryEntry | undefined,
): Line {
  const last = tried.at(-1);
  const { outcome, resolution, damage = [] } = last ?? {};
  const named = tried.find(({ claim }) => claim)?.claim ?? entry;
  const notes = damage.length > 0 ? [`damaged: ${damage.join("; ")}`] : [];
  if (resolution) notes.unshift(`resolved as ${resolution.as} by ${resolution.by}`);
  else if (outcome && NOTED_REASONS.has(outcome.reason)) notes.unshift(outcome.reason);
  return {
    key,
    state: last?.state ?? "open",
    attempt: last?.attempt ?? 0,
    atMs: outcome?.atMs ?? last?.claim?.claimedAtMs ?? entry?.atMs ?? 0,
    rule: named?.rule ?? UNKNOWN,
    action: named?.action ?? UNKNOWN,
    incidentId: named?.incidentId ?? UNKNOWN,
    pod: outcome?.pod ?? last?.claim?.pod ?? UNKNOWN,
    note: notes.join("; "),
  };
}

const UNKNOWN = "unknown";

async function show(volume: Volume, given: string, json: boolean, print: (line: string) => void) {
  const { history, attempts } = volume;
  const key = await wholeKey(volume, given);
  const tried = await attempts(key);
  const entry = history.index.find(key);
  const audits = [...history.index.audits()].filter((audit) => audit.key === key);
  if (json) {
    print(JSON.stringify({ key, attempts: tried, entry, audits }));
    return;
  }
  print(`key ${key}`);
  const named = tried.find(({ claim }) => claim)?.claim ?? entry;
  if (named) {
    print(`rule ${named.rule}, action ${named.action}`);
    print(
      `incident ${named.incidentId}, ${named.transition}, started ${isoTime(named.startedOnMs)}`,
    );
  }
  for (const { attempt, state, claim, outcome, resolution, damage } of tried) {
    if (claim) {
      const { pod, topic, partition, offset, claimedAtMs } = claim;
      print(
        `attempt ${attempt}: claimed ${isoTime(claimedAtMs)} by ${pod} for ${topic}/${partition} offset ${offset}`,
      );
    } else print(`attempt ${attempt}: claimed, but its claim cannot be read`);
    for (const file of damage) print(`  damaged: ${file}`);
    if (outcome) {
      const reason = outcome.reason === "unfillable" ? "not sent" : outcome.reason;
      const ended = `${outcome.outcome} ${isoTime(outcome.atMs)} by ${outcome.pod}`;
      print(`  ${ended} (${reason}): ${outcome.detail}`);
    } else if (state === "open") print("  open: no outcome yet");
    else print(`  ${state}: its outcome cannot be read`);
    if (resolution) {
      print(
        `  resolved as ${resolution.as} ${isoTime(resolution.atMs)} by ${resolution.by}: ${resolution.reason}`,
      );
    }
  }
  if (entry) {
    const letter = entry.deadLetterAcknowledged ? ", its dead letter acknowledged" : "";
    print(`journal: ${entry.outcome} at attempt ${entry.attempt} ${isoTime(entry.atMs)}${letter}`);
  }
  for (const audit of audits) print(`audit: ${JSON.stringify(audit)}`);
}

/** Returns the one key that begins with the given digits. Throws "usage" when there is none, or more than one. */
async function wholeKey({ history, keys }: Volume, given: string): Promise<string> {
  if (!/^[0-9a-f]{4,64}$/.test(given)) {
    throw new ConsumerError("usage", `KEY must be 4 to 64 hex digits: ${given}`);
  }
  const known = new Set(await keys());
  for (const { key } of history.index.entries()) known.add(key);
  const found = [...known].filter((key) => key.startsWith(given));
  if (found[0] === undefined || found.length > 1) {
    const many = found.length === 0 ? "no key begins" : `${found.length} keys begin`;
    throw new ConsumerError("usage", `${many} with ${given}`);
  }
  return found[0];
}

async function stats(volume: Volume, json: boolean, print: (line: string) => void) {
  const lines = await allLines(volume);
  const { history, complaints, strays } = volume;
  const result = {
    keys: lines.length,
    states: Object.fromEntries(
      STATES.map((state) => [state, lines.filter((line) => line.state === state).length]),
    ),
    resolved: lines.filter(({ note }) => note.startsWith("resolved")).length,
    rules: Object.fromEntries(
      [...Map.groupBy(lines, ({ rule }) => rule)].map(([rule, of]) => [rule, of.length]),
    ),
    journals: history.journals.length,
    generation: history.generation,
    audits: [...history.index.audits()].length,
    damaged: lines.filter(({ note }) => note.includes("damaged: ")).length,
    complaints: complaints.length,
    ignored: strays.length,
  };
  if (json) {
    print(JSON.stringify(result));
    return;
  }
  for (const [name, value] of Object.entries(result)) {
    if (typeof value === "number") print(`${name}: ${value}`);
    else for (const [inner, count] of Object.entries(value)) print(`${name} ${inner}: ${count}`);
  }
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
