const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Matches text of printable ASCII, in which each character is one column wide. */
const PLAIN = /^[ -~]*$/;

/** Matches characters that move the cursor or start an escape sequence, and would break the drawn lines. */
const CONTROLS = /[\p{Cc}\u2028\u2029]+/gu;

/** Matches a grapheme that takes two columns (East Asian Width "W" and "F", and emoji). */
const WIDE =
  /^(?:\p{Emoji_Presentation}|.*\uFE0F|[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{18CFF}\u{1B000}-\u{1B2FF}\u{20000}-\u{3FFFD}])/u;

/** Matches marks and formats that take no column when they stand alone. */
const EMPTY = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Returns the text on one line. Each run of control characters becomes a space. */
export function onOneLine(text: string): string {
  return text.replaceAll(CONTROLS, " ");
}

/** Returns the number of terminal columns that the text takes. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** Returns the longest beginning of the text that fits into the given number of columns. */
export function cutToWidth(text: string, columns: number): string {
  if (PLAIN.test(text)) return text.slice(0, Math.max(0, columns));
  let width = 0;
  for (const { segment, index } of GRAPHEMES.segment(text)) {
    width += graphemeWidth(segment);
    if (width > columns) return text.slice(0, index);
  }
  return text;
}

function graphemeWidth(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return EMPTY.test(grapheme) ? 0 : 1;
}
