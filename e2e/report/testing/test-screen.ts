import { cutToWidth, displayWidth } from "#e2e/report/display-width.ts";
import type { Terminal } from "#e2e/report/live-block.ts";

interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Emulates a terminal for tests, as far as `LiveBlock` uses one. The number of lines above the screen is unlimited. */
export class TestScreen implements Terminal {
  readonly isTTY = true;
  columns: number;
  rows: number;
  /** Everything that was written. */
  written = "";
  writes = 0;
  /** The number of lines that were wider than the terminal when they were written. */
  wraps = 0;
  isCursorHidden = false;
  #rows: string[] = [""];
  #row = 0;
  #atStart = true;
  /** The text of the present row up to the cursor. */
  #printed = "";

  constructor({ columns, rows }: Size) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.written += text;
    this.writes += 1;
    // oxlint-disable-next-line no-control-regex -- what a terminal understands
    for (const [part] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|[\r\n]|[^\u001b\r\n]+/g)) {
      this.#take(part);
    }
  }

  /** Resizes the screen as terminals with reflow do: text that is too wide continues in the next row. */
  resize({ columns, rows }: Size): void {
    this.columns = columns;
    this.rows = rows;
    const reflow = (text: string): string[] =>
      text.match(new RegExp(`.{1,${columns}}`, "gu")) ?? [""];
    const before = this.#rows.slice(0, this.#row).flatMap(reflow);
    this.#rows = [...before, ...this.#rows.slice(this.#row).flatMap(reflow)];
    this.#row = before.length;
  }

  /** Returns all lines ever written, without the empty row of the cursor. */
  lines(): string[] {
    return this.#rows.at(-1) === "" ? this.#rows.slice(0, -1) : [...this.#rows];
  }

  #take(part: string): void {
    const up = /^.\[(\d+)A$/.exec(part);
    if (part === "\n") this.#newLine();
    else if (part === "\r") this.#atStart = true;
    else if (up !== null) this.#goUp(Number(up[1]));
    else if (part === "\u001b[K") this.#eraseLine();
    else if (part === "\u001b[J") this.#eraseBelow();
    else if (part === "\u001b[?25l") this.isCursorHidden = true;
    else if (part === "\u001b[?25h") this.isCursorHidden = false;
    else if (!part.startsWith("\u001b")) this.#print(part);
    else if (!part.endsWith("m")) throw new Error(`unknown sequence ${JSON.stringify(part)}`);
  }

  #print(text: string): void {
    this.#printed = this.#atStart ? text : this.#printed + text;
    this.#atStart = false;
    // The end of a longer line stays where the new text does not overwrite it.
    const before = this.#rows[this.#row]!;
    const overwritten = cutToWidth(before, displayWidth(this.#printed));
    this.#rows[this.#row] = this.#printed + before.slice(overwritten.length);
    if (displayWidth(this.#printed) > this.columns) this.wraps += 1;
  }

  #eraseLine(): void {
    this.#rows[this.#row] = this.#atStart ? "" : this.#printed;
  }

  #eraseBelow(): void {
    this.#eraseLine();
    this.#rows.length = this.#row + 1;
  }

  #newLine(): void {
    this.#row += 1;
    this.#atStart = true;
    this.#rows[this.#row] ??= "";
  }

  /** Moves the cursor up. A row that has scrolled out of sight cannot be reached. */
  #goUp(count: number): void {
    if (count > this.rows - 1) throw new Error(`${count} rows up, and the screen has ${this.rows}`);
    if (count > this.#row) throw new Error(`${count} rows up, above the first one`);
    this.#row -= count;
  }
}
