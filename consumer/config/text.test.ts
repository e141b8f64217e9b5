import { expect, test } from "vitest";

import { decodeText } from "./text.ts";

const faultOf = (bytes: Buffer): string | undefined => {
  const decoded = decodeText(bytes);
  return "fault" in decoded ? decoded.fault : undefined;
};
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

test.each([
  ["latin-1", latin1("a: 1\nb: caf\xe9\n"), "line 2, byte 7 (0xe9): is not UTF-8"],
  [
    "after other characters",
    Buffer.concat([Buffer.from("ü: 😀 "), latin1("\xff")]),
    "line 1, byte 10 (0xff): is not UTF-8",
  ],
  ["an overlong form", latin1("a: \xc0\xaf"), "line 1, byte 4 (0xc0): is not UTF-8"],
  ["a surrogate", latin1("a: \xed\xa0\x80"), "line 1, byte 4 (0xed): is not UTF-8"],
  ["beyond Unicode", latin1("a: \xf4\x90\x80\x80"), "line 1, byte 4 (0xf4): is not UTF-8"],
  ["cut off in the middle", latin1("a: 1\n\n# \xe2\x82"), "line 3, byte 3 (0xe2): is not UTF-8"],
  ["a lone continuation", latin1("\x80"), "line 1, byte 1 (0x80): is not UTF-8"],
  ["UTF-16, little endian", Buffer.from("\uFEFFa: 1", "utf16le"), "line 1: is UTF-16"],
  ["UTF-16, big endian", Buffer.from("\uFEFFa: 1", "utf16le").swap16(), "line 1: is UTF-16"],
  [
    "UTF-16 without a mark",
    Buffer.from("a: 1", "utf16le"),
    "line 1: must not hold the control character U+0000; is the file UTF-16?",
  ],
  ["a zero byte", Buffer.from("a: 1\nb: \0"), "line 2: must not hold the control character U+0000"],
  ["an escape", Buffer.from("a: \x1b[31m"), "line 1: must not hold the control character U+001B"],
  ["a C1 control", Buffer.from("a: \x9b"), "line 1: must not hold the control character U+009B"],
])("%s is refused with its line", (_what, bytes, fault) => {
  expect(faultOf(bytes)).toContain(fault);
});

test("what is UTF-8 is taken as it is, without its byte order mark", () => {
  const text = "a: ü😀\tx\r\nb: \uFFFD\u0085c\n";
  expect(decodeText(Buffer.from(text))).toEqual({ text });
  expect(decodeText(Buffer.from(`\uFEFF${text}`))).toEqual({ text });
  expect(decodeText(Buffer.alloc(0))).toEqual({ text: "" });
});
