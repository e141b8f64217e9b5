import { findDepthsInJson, findDepthsInText, escapeForJson } from "./json-template.ts";
import type { JsonDepths } from "./json-template.ts";
import { marked, markerOf, markersIn, replaceMarkers } from "./markers.ts";
import { checkNoPath, refused } from "./template.ts";
import type { Escape, Template } from "./template.ts";
import { hasCode } from "#consumer/errors.ts";

/** The content type of a body whose action names none. */
const DEFAULT_CONTENT_TYPE = "application/json";

const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+";
const MEDIA_TYPE = new RegExp(
  `^(${TOKEN}/${TOKEN})\\s*((?:;\\s*(?:${TOKEN}=(?:${TOKEN}|"[^"\\\\]*")\\s*)?)*)$`,
  "i",
);

/**
 * Returns how the value of each placeholder of a body is escaped, which depends on the content type and on its place:
 * as the inside of a JSON string, as the value of a form field, or not at all in plain text. Throws
 * "bad-configuration" when the body does not parse in its own type, or where no way of escaping is safe.
 */
export function bodyEscapes(
  body: Template,
  headers: Readonly<Record<string, string>>,
): readonly Escape[] {
  const header = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type");
  const type = mediaTypeOf(header?.[1] ?? DEFAULT_CONTENT_TYPE, body);
  checkNoPath(body);
  const depths: JsonDepths = new Map();
  const text = marked(body);
  const isForm = type === "application/x-www-form-urlencoded";
  try {
    if (type.endsWith("/json") || type.endsWith("+json")) findDepthsInJson(text, 0, depths);
    else if (isForm) findDepthsInForm(text, depths);
    else if (type === "text/plain") findDepthsInText(text, 0, depths);
    else if (body.placeholders.length > 0) {
      throw refused(
        `must not hold a placeholder with content-type ${type}: values are escaped in JSON, forms and text/plain alone`,
      );
    }
  } catch (error) {
    throw named(error, body);
  }
  return body.placeholders.map((_placeholder, index) => {
    const depth = depths.get(index) ?? 0;
    return (value) => {
      const escaped = escapeForJson(value, depth);
      return isForm ? encodeURIComponent(escaped) : escaped;
    };
  });
}

/** Returns whether a text is one media type with its parameters, of which only the charset is read. */
export function isMediaType(contentType: string): boolean {
  return MEDIA_TYPE.test(contentType);
}

/** Returns the media type in lower case, without its parameters. */
function mediaTypeOf(contentType: string, { parts }: Template): string {
  const [, type, parameters = ""] = MEDIA_TYPE.exec(contentType) ?? [];
  if (type === undefined) {
    throw refused(
      `needs a content-type that is one media type, not ${JSON.stringify(contentType)}`,
    );
  }
  const charset = /;\s*charset="?([^";\s]*)/i.exec(parameters)?.[1] ?? "utf-8";
  const isAscii = parts.every((part) => typeof part === "string" && /^\p{ASCII}*$/u.test(part));
  if (!/^utf-?8$/i.test(charset) && !isAscii) {
    throw refused(`is sent as UTF-8, not as content-type says (charset=${charset})`);
  }
  return type.toLowerCase();
}

function findDepthsInForm(text: string, depths: JsonDepths): void {
  const literal = replaceMarkers(text, () => "&");
  if (/[^\x20-\x7e]/.test(literal)) {
    throw refused(
      "is a form: line breaks, control characters and characters beyond ASCII must be percent-encoded",
    );
  }
  findDepthsInPairs(text, "form", depths);
}

/** Finds depths in the marked pairs of a form, or of the query of a URL. Only a value may hold a placeholder. */
export function findDepthsInPairs(text: string, what: string, depths: JsonDepths): void {
  if (/%(?![0-9a-f]{2})/i.test(text)) {
    throw refused("has a percent sign that encodes nothing: write %25");
  }
  for (const pair of text.split("&")) {
    const end = pair.includes("=") ? pair.indexOf("=") : pair.length;
    const [marker] = markersIn(pair.slice(0, end));
    if (marker !== undefined) {
      throw refused(`${markerOf(marker)} must not stand in the name of a ${what} field`);
    }
    if (end === 0 && pair !== "") throw refused(`has a ${what} field without a name`);
    findDepthsInText(decoded(pair.slice(end + 1)), 0, depths);
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    throw refused("has percent-encoded bytes that are not UTF-8");
  }
}

/** Returns the same fault with the names of the placeholders in place of their markers. */
export function named(error: unknown, { placeholders }: Template): unknown {
  if (!hasCode(error, "bad-configuration")) return error;
  const nameOf = (index: number): string => `{{${placeholders[index]?.name ?? ""}}}`;
  // A message of the JSON parser quotes the text, and may cut a marker.
  return refused(replaceMarkers(error.message, nameOf).replaceAll(/[\u{f8fe}\u{f8ff}]/gu, ""));
}
