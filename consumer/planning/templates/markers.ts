import { refused } from "./template.ts";
import type { Template } from "./template.ts";

/** Characters of private use, which enclose the index of a placeholder. */
const OPEN = "\u{f8fe}";
const CLOSE = "\u{f8ff}";
const MARKER = new RegExp(`${OPEN}(\\d+)${CLOSE}`, "g");

/**
 * Returns the template with a marker in place of each placeholder. The grammars of JSON, forms and URLs take a marker
 * as ordinary characters, so parsing the text shows where a value would stand.
 */
export function marked({ parts }: Template): string {
  let index = 0;
  return parts
    .map((part) => {
      if (typeof part !== "string") return markerOf(index++);
      if (part.includes(OPEN) || part.includes(CLOSE)) {
        throw refused("must not hold the private characters U+F8FE and U+F8FF");
      }
      return part;
    })
    .join("");
}

export function markerOf(index: number): string {
  return `${OPEN}${index}${CLOSE}`;
}

/** Returns the indexes of the placeholders in a marked text, in their order. */
export function markersIn(text: string): number[] {
  return [...text.matchAll(MARKER)].map(([, index]) => Number(index));
}

/** Returns a marked text with other text in place of each marker. */
export function replaceMarkers(text: string, replacement: (index: number) => string): string {
  return text.replaceAll(MARKER, (_marker, index: string) => replacement(Number(index)));
}
