import { isUtf8 } from "node:buffer";

/** Matches what YAML does not allow in a file: only printable characters, tabs and line breaks may stand there. */
const NOT_PRINTABLE = /(?![\t\n\r\u0085])[\p{Cc}\uFFFE\uFFFF]/u;
const NEWLINE = 0x0a;

/**
 * Decodes the text of a configuration file, which is UTF-8, and drops a byte order mark. The fault names the line, the
 * byte within it and its value.
 */
export function decodeText(bytes: Buffer): { readonly text: string } | { readonly fault: string } {
  const start = bytes.readUInt16BE.call(bytes.length >= 2 ? bytes : Buffer.alloc(2));
  if (start === 0xfffe || start === 0xfeff) {
    return { fault: "line 1: is UTF-16 (it begins with its byte order mark); must be UTF-8" };
  }
  if (!isUtf8(bytes)) return { fault: brokenUtf8(bytes) };
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  const found = NOT_PRINTABLE.exec(text);
  if (found === null) return { text };
  const code = text.codePointAt(found.index) ?? 0;
  const line = text.slice(0, found.index).split("\n").length;
  const hint = code === 0 ? "; is the file UTF-16? It must be UTF-8" : "";
  const point = code.toString(16).toUpperCase().padStart(4, "0");
  return { fault: `line ${String(line)}: must not hold the control character U+${point}${hint}` };
}

/** Returns the fault of the first broken line. A line break is never part of another character in UTF-8. */
function brokenUtf8(bytes: Buffer): string {
  let line = 1;
  for (let from = 0; ; line += 1) {
    const end = bytes.indexOf(NEWLINE, from);
    const content = bytes.subarray(from, end === -1 ? bytes.length : end);
    if (!isUtf8(content) || end === -1) {
      const at = validLength(content);
      const byte = (content[at] ?? 0).toString(16).padStart(2, "0");
      return `line ${String(line)}, byte ${String(at + 1)} (0x${byte}): is not UTF-8`;
    }
    from = end + 1;
  }
}

/** Returns the number of bytes before the first that is not part of a whole character. */
function validLength(content: Buffer): number {
  let length = 0;
  while (length < content.length) {
    const size = [1, 2, 3, 4].find((bytes) => isUtf8(content.subarray(length, length + bytes)));
    if (size === undefined) return length;
    length += size;
  }
  return length;
}
