import { refused } from "./template.ts";
import type { Template } from "./template.ts";

/** Characters of private use stand around the number of a placeholder. */
const OPEN = "\u{f8fe}";
const CLOSE = "\u{f8ff}";
const MARKER = new RegExp(`${OPEN}(\\d+)${CLOSE}`, "g");

/**
 * The template with a marker in the place of each placeholder: text that the grammar of its place (JSON, form, URL)
 * takes as an ordinary character, so that parsing it shows where a value would stand.
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

/** The numbers of the placeholders in a marked text, in their order. */
export function markersIn(text: string): number[] {
  return [...text.matchAll(MARKER)].map(([, index]) => Number(index));
}

/** A marked text with other text in the place of each marker. */
export function replaceMarkers(text: string, replacement: (index: number) => string): string {
  return text.replaceAll(MARKER, (_marker, index: string) => replacement(Number(index)));
}
