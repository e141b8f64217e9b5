import { markerOf, markersIn, replaceMarkers } from "./markers.ts";
import { refused } from "./template.ts";

/**
 * How often the value of each placeholder, by its number, is escaped as the inside of a JSON string: once in a
 * string of JSON, twice in a string of JSON that itself is a string of JSON, and not at all in plain text.
 */
export type JsonDepths = Map<number, number>;

/** Text that a receiver may read as JSON when it is an object or a list; `text` is marked. */
export function findDepthsInText(text: string, depth: number, depths: JsonDepths): void {
  const markers = markersIn(text);
  if (markers.length === 0) return;
  if (isContainer(text)) {
    findDepthsInJson(text, depth, depths);
    return;
  }
  // A list of one word in brackets, such as "[{{incident.severity}}]", is usual in a title.
  if (text.trimStart().startsWith("{") && isContainer(replaceMarkers(text, () => "0"))) {
    throw unquoted(text);
  }
  if (/^\s*(?:\{\s*"|\[\s*\{)/.test(text)) {
    throw refused("begins like JSON, and is none: a value could not be kept inside its string");
  }
  if (GRAPHQL.test(text)) {
    throw refused(`${markerOf(markers[0] ?? 0)} stands in GraphQL: its values go by variables`);
  }
  for (const marker of markers) depths.set(marker, depth);
}

/** An operation of GraphQL, whose strings are no JSON strings once the text has been read. */
const GRAPHQL = /^\s*(?:query|mutation|subscription)\s*\w*\s*(?:\([^)]*\)\s*)?\{/;

/** Marked JSON: a placeholder stands inside a string that is no key, and no object has a key twice. */
export function findDepthsInJson(json: string, depth: number, depths: JsonDepths): void {
  const root = parsed(json);
  const repeated = repeatedKey(json);
  if (repeated !== undefined) {
    throw refused(`has the JSON key ${JSON.stringify(repeated)} twice`);
  }
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "string") findDepthsInText(value, depth + 1, depths);
    if (typeof value !== "object" || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      if (markersIn(key).length > 0) throw refused(`${key} must not stand in a JSON key`);
      open.push(inner);
    }
  }
}

/** A value as the inside of a JSON string, escaped `depth` times. */
export function escapeForJson(value: string, depth: number): string {
  let escaped = value;
  for (let times = 0; times < depth; times += 1) {
    // JavaScript before 2019 reads these two as the end of a line.
    escaped = JSON.stringify(escaped)
      .slice(1, -1)
      .replaceAll("\u2028", "\\u2028")
      .replaceAll("\u2029", "\\u2029");
  }
  return escaped;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    if (isJson(replaceMarkers(json, () => "0"))) throw unquoted(json);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refused(`is not valid JSON (${reason})`);
  }
}

function unquoted(json: string) {
  const [marker = 0] = markersIn(json.replaceAll(STRING, '""'));
  return refused(
    `${markerOf(marker)} must stand inside a JSON string: unquoted, its value would be read as JSON`,
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isContainer(text: string): boolean {
  return /^\s*[{[]/.test(text) && isJson(text);
}

const STRING = /"(?:[^"\\]|\\.)*"/g;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** A key that an object of valid JSON has twice: receivers differ in which one they take. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  let latest = "";
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === "{" || token === "[") open.push(new Set());
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const key: unknown = JSON.parse(latest);
      if (typeof key !== "string") continue;
      const keys = open.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    } else latest = token;
  }
  return undefined;
}
