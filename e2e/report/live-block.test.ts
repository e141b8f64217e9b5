import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LiveBlock } from "./live-block.ts";
import type { Line } from "./live-block.ts";
import { TestScreen } from "./testing/test-screen.ts";

const lines = (...texts: string[]): Line[] => texts.map((text) => [{ text }]);
const INTERVAL_MS = 125;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function aBlock(environment: Record<string, string> = {}) {
  const screen = new TestScreen({ columns: 30, rows: 8 });
  const interrupt = new AbortController();
  const block = new LiveBlock(screen, { environment, signal: interrupt.signal });
  return { screen, interrupt, block };
}

describe("on a terminal", () => {
  test("lines change in place below the lines that stay", () => {
    const { screen, block } = aBlock();
    block.line("seed 1");
    block.show(lines("one: starting", "two: starting"));
    block.line("ok   zero");
    vi.advanceTimersByTime(INTERVAL_MS);
    block.show(lines("one: ready"));
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(screen.lines()).toEqual(["seed 1", "ok   zero", "one: ready"]);
    block.end();
    expect(screen.lines()).toEqual(["seed 1", "ok   zero"]);
  });

  test("the cursor is hidden while lines change, and shown again once at the end", () => {
    const { screen, block } = aBlock();
    block.show(lines("one"));
    expect(screen.isCursorHidden).toBe(true);
    block.end();
    expect(screen.isCursorHidden).toBe(false);
    const written = screen.written;
    block.end();
    block.show(lines("late"));
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(screen.written).toBe(written);
    block.line("later");
    expect(screen.written).toBe(`${written}later\n`);
  });

  test("a process that ends early shows the cursor and leaves no changing line", () => {
    const before = new Set(process.listeners("exit"));
    const { screen, block } = aBlock();
    block.line("seed 1");
    block.show(lines("one"));
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(screen.lines()).toEqual(["seed 1", "one"]);
    expect(screen.isCursorHidden).toBe(true);
    for (const listener of process.listeners("exit")) if (!before.has(listener)) listener(1);
    expect(screen.isCursorHidden).toBe(false);
    expect(screen.lines()).toEqual(["seed 1"]);
    expect(process.listeners("exit")).toHaveLength(before.size);
  });

  test("changes are drawn at most eight times a second, and the last one always", () => {
    const { screen, block } = aBlock();
    for (let change = 1; change <= 100; change += 1) {
      block.show(lines(`change ${change}`));
      vi.advanceTimersByTime(10);
    }
    expect(screen.writes).toBeGreaterThan(5);
    expect(screen.writes).toBeLessThanOrEqual(9);
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(screen.lines()).toEqual(["change 100"]);
    block.end();
  });

  test("unchanged lines are not written again", () => {
    const { screen, block } = aBlock();
    block.show(lines("one"));
    const { writes } = screen;
    vi.advanceTimersByTime(INTERVAL_MS);
    block.show(lines("one"));
    expect(screen.writes).toBe(writes);
    block.end();
  });

  test.each([
    ["x".repeat(29), "x".repeat(29)],
    ["x".repeat(30), `${"x".repeat(28)}…`],
    ["漢".repeat(20), `${"漢".repeat(14)}…`],
    [`${"👩‍🔧".repeat(10)}abcdefghij`, `${"👩‍🔧".repeat(10)}abcdefgh…`],
    ["e\u0301".repeat(29), "e\u0301".repeat(29)],
    ["a\r\nb\u001b[2Jc", "a b [2Jc"],
  ])("%j never wraps", (text, shown) => {
    const { screen, block } = aBlock();
    block.show(lines(text));
    expect(screen.lines()).toEqual([shown]);
    expect(screen.wraps).toBe(0);
    block.end();
  });

  test("a terminal that becomes narrower wraps the old lines, and the new ones replace all of them", () => {
    const { screen, block } = aBlock();
    block.line("stays");
    block.show(lines("a".repeat(28), "b".repeat(5)));
    vi.advanceTimersByTime(INTERVAL_MS);
    screen.resize({ columns: 10, rows: 8 });
    block.show(lines("a".repeat(28), "b".repeat(5)));
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(screen.lines()).toEqual(["stays", `${"a".repeat(8)}…`, "bbbbb"]);
    expect(screen.wraps).toBe(0);
    block.end();
  });

  test("more lines than the terminal has rows are counted", () => {
    const { screen, block } = aBlock();
    const many = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
    block.show(lines(...many));
    const shown = [...many.slice(0, 6), "and 14 more lines"];
    expect(screen.lines()).toEqual(shown);
    block.line("above");
    expect(screen.lines()).toEqual(["above", ...shown]);
    block.end();
    expect(screen.lines()).toEqual(["above"]);
  });

  test("the changing lines are cleared at ^C, and the message about it stays", () => {
    const { screen, block, interrupt } = aBlock();
    block.show(lines("one", "two"));
    screen.write("^C");
    interrupt.abort(new Error("interrupted"));
    screen.write("\ninterrupted\n");
    block.show(lines("one: draining"));
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(screen.lines()).toEqual(["", "interrupted", "one: draining"]);
    block.end();
  });

  test("styles are colours, except with NO_COLOR", () => {
    const red: Line = [{ text: "FAIL", style: "red" }, { text: " two" }];
    const coloured = aBlock();
    coloured.block.line(red);
    expect(coloured.screen.written).toContain("\u001b[31mFAIL\u001b[39m two\n");
    const plain = aBlock({ NO_COLOR: "1" });
    plain.block.show([red]);
    plain.block.line(red);
    expect(plain.screen.written).not.toContain("\u001b[31m");
    expect(plain.screen.lines()).toEqual(["FAIL two", "FAIL two"]);
    for (const { block } of [coloured, plain]) block.end();
  });
});

describe("plain lines alone, without any escape sequence", () => {
  test.each([
    ["without a terminal", false, {}],
    ["on CI", true, { CI: "true" }],
    ["on a dumb terminal", true, { TERM: "dumb" }],
  ])("%s", (_name, isTTY, environment) => {
    let written = "";
    const terminal = { isTTY, columns: 80, write: (text: string) => (written += text) };
    using block = new LiveBlock(terminal, { environment });
    expect(block.isLive).toBe(false);
    block.show(lines("changes"));
    block.line([{ text: "FAIL", style: "red" }, { text: " two" }]);
    block.clear();
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(written).toBe("FAIL two\n");
  });
});
