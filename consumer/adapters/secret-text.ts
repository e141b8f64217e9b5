import { isUtf8 } from "node:buffer";

/**
 * The text of a secret, with what is odd about it, or the reason why it cannot be a secret. No reason holds any part
 * of it.
 */
export type SecretText =
  | { readonly text: string; readonly odd: string | undefined }
  | { readonly refused: string };

const STORE_AGAIN = "store it again as the text that the broker knows";

/**
 * Reads the text of a secret. A password is one line of text (SCRAM allows no control character). It is never changed
 * but for one line break at its end, which most editors and `echo` add and which tools that read a password from a
 * file drop, too: with it, the broker would refuse the password without a hint.
 */
export function secretText(bytes: Buffer): SecretText {
  if (!isUtf8(bytes)) return { refused: `is binary, not UTF-8 text: ${STORE_AGAIN}` };
  const whole = bytes.toString("utf8");
  if (whole.startsWith("\uFEFF")) {
    return { refused: `begins with a byte order mark: ${STORE_AGAIN}` };
  }
  const text = whole.replace(/\r?\n$/, "");
  if (text.trim() === "") return { refused: "is empty, or nothing but white space" };
  const control = /[\p{Cc}\u2028\u2029]/u.exec(text)?.[0].codePointAt(0);
  if (control !== undefined) {
    const code = control.toString(16).toUpperCase().padStart(4, "0");
    return { refused: `holds a line break or control character (U+${code}): ${STORE_AGAIN}` };
  }
  const odd = [
    ...(text === whole ? [] : ["a line break at its end, which is left out"]),
    ...(text === text.trim() ? [] : ["white space at its beginning or end, which is kept"]),
  ];
  return { text, odd: odd.length === 0 ? undefined : `has ${odd.join(" and ")}` };
}
