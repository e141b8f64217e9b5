import { markerOf, markersIn, replaceMarkers } from "./markers.ts";
import { refused } from "./template.ts";

/**
 * The number of times that the value of each placeholder, by its index, is escaped as the inside of a JSON string:
 * once in a JSON string, twice in a JSON string within a JSON string, and not at all in plain text.
 */
export type JsonDepths = Map<number, number>;

/** Finds depths in a marked text, which a receiver may read as JSON when it is an object or a list. */
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
    throw refused("begins like JSON and is not: a value could not be kept inside its string");
  }
  if (GRAPHQL.test(text)) {
    throw refused(`${markerOf(markers[0] ?? 0)} stands in GraphQL: pass values by its variables`);
  }
  for (const marker of markers) depths.set(marker, depth);
}

/** Matches an operation of GraphQL, whose strings are not JSON strings. */
const GRAPHQL = /^\s*(?:query|mutation|subscription)\s*\w*\s*(?:\([^)]*\)\s*)?\{/;

/**
 * Finds depths in marked JSON. A placeholder must stand inside a string that is not a key, and no object may have a
 * key twice.
 */
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

/** Returns a value as the inside of a JSON string, escaped `depth` times. */
export function escapeForJson(value: string, depth: number): string {
  let escaped = value;
  for (let times = 0; times < depth; times += 1) {
    // Before ES2019, JavaScript read these two characters as the end of a line.
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

/** Returns a key that an object of valid JSON has twice, since receivers differ in which value they take. */
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
