/** The longest part of a line that is shown, in characters. */
const WIDTH_MAX = 76;

/** Matches a line that may hold a secret by mistake: no message repeats one. */
const MAY_HOLD_SECRET = /authorization|cookie|password\b|token|api-?key|\/\/[^/@\s]*@/i;

/**
 * Returns the line of a text in which an offset stands, with its number and a caret below the offset, as two lines of a
 * message. Returns undefined for an empty line, and for one that may hold a secret.
 */
export function codeFrame(text: string, offset: number, line: number): string | undefined {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", start);
  const content = text.slice(start, end === -1 ? text.length : end).trimEnd();
  if (content === "" || MAY_HOLD_SECRET.test(content)) return undefined;
  const column = Math.min(offset - start, content.length);
  const from = content.length <= WIDTH_MAX ? 0 : Math.max(0, column - WIDTH_MAX / 2);
  const to = Math.min(content.length, from + WIDTH_MAX);
  const [before, after] = [from > 0 ? "…" : "", to < content.length ? "…" : ""];
  const shown = `${before}${content.slice(from, to).replaceAll("\t", " ")}${after}`;
  const number = String(line);
  const caret = " ".repeat(before.length + column - from);
  return `      ${number} | ${shown}\n      ${" ".repeat(number.length)} | ${caret}^`;
}
