import { named } from "./body-template.ts";
import { escapeForJson, findDepthsInText } from "./json-template.ts";
import type { JsonDepths } from "./json-template.ts";
import { marked } from "./markers.ts";
import { checkNoPath } from "./template.ts";
import type { Escape, Template } from "./template.ts";

/**
 * Returns how values are escaped in an argument or a variable: not at all, unless the whole text is JSON, where they
 * stay within strings. Throws "bad-configuration" for a placeholder outside a string.
 */
export function textEscapes(template: Template): readonly Escape[] {
  const depths = depthsOf(template);
  return template.placeholders.map(
    (_placeholder, index) => (value) => escapeForJson(value, depths.get(index) ?? 0),
  );
}

/** Returns how values are escaped in a header, where a value also stays inside its quotes (RFC 9110). */
export function headerEscapes(template: Template): readonly Escape[] {
  const depths = depthsOf(template);
  const quoted: boolean[] = [];
  let isOpen = false;
  for (const part of template.parts) {
    if (typeof part !== "string") quoted.push(isOpen);
    else if (part.replaceAll(/\\./g, "").split('"').length % 2 === 0) isOpen = !isOpen;
  }
  return quoted.map((isQuoted, index) => (value) => {
    const depth = depths.get(index) ?? 0;
    if (depth > 0) return escapeForJson(value, depth);
    return isQuoted ? value.replaceAll(/["\\]/g, "\\$&") : value;
  });
}

function depthsOf(template: Template): JsonDepths {
  checkNoPath(template);
  const depths: JsonDepths = new Map();
  try {
    findDepthsInText(marked(template), 0, depths);
  } catch (error) {
    throw named(error, template);
  }
  return depths;
}
