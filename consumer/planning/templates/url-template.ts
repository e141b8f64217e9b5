import { findDepthsInPairs, named } from "./body-template.ts";
import { escapeForJson } from "./json-template.ts";
import type { JsonDepths } from "./json-template.ts";
import { marked, markersIn, replaceMarkers } from "./markers.ts";
import { checkNoPath, fill, refused } from "./template.ts";
import type { Filled, Template, TemplateValues } from "./template.ts";

/** A URL whose path and query hold placeholders. */
export interface UrlTemplate {
  /** The scheme, host and port, which are the same for every incident. */
  readonly origin: string;
  /** The port as the URL names it, or an empty text for the default port of the scheme. */
  readonly port: string;
  readonly fill: (values: TemplateValues) => Filled;
}

const SHAPE = /^https?:\/\/[^/?#]+([^?#]*)(?:\?(.*))?$/is;

/**
 * Reads a URL with placeholders. Throws "bad-configuration" for a placeholder in the scheme, host or port, as a parser
 * of URLs sees them, in the name of a query field, or in the fragment, which is never sent.
 */
export function urlTemplate(template: Template): UrlTemplate {
  try {
    return readUrl(template);
  } catch (error) {
    throw named(error, template);
  }
}

function readUrl(template: Template): UrlTemplate {
  const text = marked(template);
  const sample = replaceMarkers(text, sampleOf);
  const url = URL.parse(sample);
  checkOrigin(url, sample);
  const [, path = "", query = ""] = SHAPE.exec(text) ?? [];
  if (url === null || !/^https?:\/\/[^/]/i.test(text)) {
    throw refused("must be an absolute http or https URL");
  }
  if (/[\s\p{Cc}\\]/u.test(text)) {
    throw refused("must not hold spaces, control characters or backslashes");
  }
  if (url.username !== "" || url.password !== "") {
    throw refused("must not hold a user name or password");
  }
  if (text.includes("#")) throw refused("must not hold a fragment: it is never sent");
  if (/%(?![0-9a-f]{2})/i.test(path)) {
    throw refused("has a percent sign that encodes nothing: write %25");
  }
  const samplePath = replaceMarkers(path, sampleOf);
  if (hasDotSegment(fullyDecoded(samplePath) ?? "..")) {
    throw refused("must not have the segments . or .. in its path");
  }
  const depths: JsonDepths = new Map();
  findDepthsInPairs(query, "query", depths);
  const inPath = markersIn(path).length;
  checkNoPath({ placeholders: template.placeholders.slice(inPath) });
  const { origin, port } = url;
  return {
    origin,
    port,
    fill: (values) => {
      const meant: string[] = [];
      const filled = fill(template, values, (value, placeholder, index) => {
        if (index >= inPath) {
          return encodeURIComponent(escapeForJson(value, depths.get(index) ?? 0));
        }
        if (!placeholder.path) return encodeURIComponent(value);
        meant.push(value);
        return value.split("/").map(encodeURIComponent).join("/");
      });
      if (!("text" in filled)) return filled;
      const isSafe =
        hasOrigin(filled.text, origin) && isSamePath(pathOf(filled.text), samplePath, meant);
      return isSafe ? filled : { rule: "unsafe-in-url", value: filled.text };
    },
  };
}

/** Returns a sample that a parser keeps as it is in every part of a URL, also in a host. */
function sampleOf(index: number): string {
  return `placeholder${index}x`;
}

const SAMPLE = /placeholder\d+x/;

/**
 * Throws when a placeholder stands in the scheme, user, host or port. A parser decides that, since it finds hosts where
 * a person sees none, as in "http:HOST/x" and "http:\\HOST".
 */
function checkOrigin(url: URL | null, sample: string): void {
  const parts =
    url === null
      ? // The sample makes it no URL at all, such as one with letters in its port.
        [/^[a-z][a-z0-9+.-]*:[/\\]*([^/\\?#]*)/i.exec(sample)?.[1] ?? ""]
      : [url.protocol, url.username, url.password, url.host];
  if (parts.some((part) => SAMPLE.test(part))) {
    throw refused("must not have a placeholder in the host, nor in the scheme, user or port");
  }
}

function hasOrigin(text: string, origin: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.origin !== origin || url.username !== "" || url.password !== "") {
    return false;
  }
  // A parser removes dot segments.
  return url.pathname.split("/").length === Math.max(pathOf(text).split("/").length, 2);
}

function pathOf(text: string): string {
  return SHAPE.exec(text)?.[1] ?? "";
}

/**
 * Returns true when a rendered path has the segments of the template and no others, however often a server decodes it.
 * `meant` holds the values whose slashes separate segments.
 */
function isSamePath(path: string, samplePath: string, meant: readonly string[]): boolean {
  const decoded = fullyDecoded(path);
  if (decoded === undefined || hasDotSegment(decoded) || /\p{Cc}/u.test(decoded)) return false;
  const slashesMeant = meant.reduce((sum, value) => sum + countOf(value, /\//g), 0);
  const slashes = countOf(fullyDecoded(samplePath) ?? "", /[/\\]/g) + slashesMeant;
  return (
    countOf(decoded, /[/\\]/g) === slashes && emptySegments(path) === emptySegments(samplePath)
  );
}

function emptySegments(path: string): number {
  return path.split("/").filter((segment) => segment === "").length;
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

/** Servers drop parameters ("..;x"), and some also spaces and characters without a shape, before they compare. */
function hasDotSegment(decodedPath: string): boolean {
  return decodedPath
    .split(/[/\\]/)
    .map((segment) => segment.replace(/;.*$/s, "").replaceAll(/[\s\p{Cc}\p{Cf}]/gu, ""))
    .some((segment) => segment === "." || segment === "..");
}

/** The number of times that a path is decoded. A path that was encoded more often is meant to get past a check. */
const DECODINGS_MAX = 8;
/** Matches UTF-8 with more bytes than needed, in which some decoders find a slash or a dot. */
const OVERLONG = /%c[01]%[89ab][0-9a-f]|%e0%[89][0-9a-f]|%f0%8[0-9a-f]/i;

/**
 * Decodes percent-encoding and turns compatibility forms, such as a full-width slash, into ordinary characters until
 * nothing changes any more. Returns undefined when that does not end, or when the text can be decoded in several ways.
 */
function fullyDecoded(text: string): string | undefined {
  if (/^[\x21-\x24\x26-\x7e]*$/.test(text)) return text;
  let current = text;
  for (let round = 0; round <= DECODINGS_MAX; round += 1) {
    if (OVERLONG.test(current)) return undefined;
    const next = current
      .replaceAll(/%u([0-9a-f]{4})/gi, (_all, code: string) =>
        String.fromCharCode(Number.parseInt(code, 16)),
      )
      .replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) =>
        Buffer.from(bytes.replaceAll("%", ""), "hex").toString("utf8"),
      )
      .normalize("NFKC");
    if (next === current) return current;
    current = next;
  }
  return undefined;
}
