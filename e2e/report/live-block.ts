import { styleText } from "node:util";
import { cutToWidth, displayWidth, onOneLine } from "./display-width.ts";

export interface Terminal {
  /** True for a terminal. Undefined or false for a pipe or a file. */
  readonly isTTY: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** A part of a line. The style is ignored where there are no colours. */
export interface Span {
  readonly text: string;
  readonly style?: "red" | "green" | "yellow" | "cyan" | "dim" | "bold";
}

export type Line = readonly Span[];

interface LiveBlockOptions {
  /** Aborts at ^C. The changing lines are then cleared, since the message about ^C is written in their place. */
  readonly signal?: AbortSignal;
  /** The environment variables. Defaults to those of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** The shortest time between two redraws, in milliseconds. */
const REDRAW_INTERVAL_MS = 125;

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const ERASE_TO_END_OF_LINE = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/**
 * Lines at the bottom of a terminal that change in place, below plain lines that stay. Only the plain lines are
 * written, without any escape sequence, where there is no terminal, on CI, and where TERM is `dumb`. NO_COLOR turns off
 * the colours.
 */
export class LiveBlock implements Disposable {
  /** True when lines can change in place. */
  readonly isLive: boolean;
  readonly #terminal: Terminal;
  readonly #hasColour: boolean;
  #wanted: readonly Line[] = [];
  /** The lines that the terminal shows now. The cursor is at the beginning of the line below them. */
  #drawn: readonly DrawnLine[] = [];
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #isCursorHidden = false;
  #isEnded = false;

  constructor(terminal: Terminal, { signal, environment = process.env }: LiveBlockOptions = {}) {
    this.#terminal = terminal;
    this.isLive = terminal.isTTY && !isSet(environment.CI) && environment.TERM !== "dumb";
    this.#hasColour = this.isLive && (environment.NO_COLOR ?? "") === "";
    signal?.addEventListener("abort", () => this.clear(), { once: true });
  }

  /** Writes a line that stays above the changing lines. */
  line(line: string | Line): void {
    const spans = typeof line === "string" ? [{ text: line }] : line;
    const text = `${spans.map((span) => this.#styled(span)).join("")}\n`;
    if (!this.isLive || this.#isEnded) this.#terminal.write(text);
    else this.#redraw(text);
  }

  /** Replaces the changing lines. If they were drawn a moment ago, the change is shown a moment later. */
  show(lines: readonly Line[]): void {
    this.#wanted = lines;
    if (!this.isLive || this.#isEnded || this.#timer !== null) return;
    const waitMs = this.#drawnAtMs + REDRAW_INTERVAL_MS - performance.now();
    if (waitMs <= 0) {
      this.#redraw();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#redraw();
    }, waitMs);
    this.#timer.unref();
  }

  /** Clears the changing lines until they are shown again, so that others can write. */
  clear(): void {
    if (this.#drawn.length > 0) this.#terminal.write(this.#erase());
    this.#drawn = [];
    this.#drawnAtMs = performance.now();
  }

  /** Clears the changing lines for good, and shows the cursor again. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    process.off("exit", this.#onExit);
    this.clear();
    if (this.#isCursorHidden) this.#terminal.write(SHOW_CURSOR);
  }

  [Symbol.dispose](): void {
    this.end();
  }

  readonly #onExit = (): void => this.end();

  /**
   * Redraws in a single write, so that no state in between is ever visible. Writes nothing when nothing has changed.
   */
  #redraw(above = ""): void {
    const lines = this.#fitted();
    this.#drawnAtMs = performance.now();
    const isSame =
      lines.length === this.#drawn.length &&
      lines.every(({ text }, index) => text === this.#drawn[index]!.text);
    if (above === "" && isSame) return;
    const hide = lines.length > 0 ? this.#hideCursor() : "";
    // When a line is added above, the longer rest of an old line must be erased first.
    const begin = above === "" ? this.#goUp() : this.#erase();
    const block = lines.map(({ text }) => `${text}${ERASE_TO_END_OF_LINE}\n`).join("");
    this.#terminal.write(`${hide}${begin}${above}${block}${ERASE_BELOW}`);
    this.#drawn = lines;
  }

  #hideCursor(): string {
    if (this.#isCursorHidden) return "";
    this.#isCursorHidden = true;
    // This is the last chance to show the cursor when the process ends in the middle of the work.
    process.once("exit", this.#onExit);
    return HIDE_CURSOR;
  }

  /**
   * Returns the lines that fit into the terminal. There are never more lines than rows, since lines that have scrolled
   * out of sight cannot be redrawn.
   */
  #fitted(): readonly DrawnLine[] {
    const width = this.#columns - 1;
    const linesMax = Math.max(1, (this.#terminal.rows ?? 24) - 1);
    const wanted = this.#wanted;
    const shown =
      wanted.length <= linesMax
        ? wanted
        : [
            ...wanted.slice(0, linesMax - 1),
            [{ text: `and ${wanted.length - linesMax + 1} more lines` }],
          ];
    return shown.map((line) => this.#fit(line, width));
  }

  #fit(line: Line, width: number): DrawnLine {
    const spans = line.map((span) => ({ ...span, text: onOneLine(span.text) }));
    const isWhole = displayWidth(spans.map(({ text }) => text).join("")) <= width;
    let columnsLeft = isWhole ? width : width - 1;
    const parts: string[] = [];
    for (const span of spans) {
      const text = cutToWidth(span.text, columnsLeft);
      columnsLeft -= displayWidth(text);
      if (text !== "") parts.push(this.#styled({ ...span, text }));
      if (text !== span.text) break;
    }
    return isWhole
      ? { text: parts.join(""), width: width - columnsLeft }
      : { text: `${parts.join("")}…`, width: width - columnsLeft };
  }

  /**
   * Returns the sequence that moves the cursor to the first of the drawn lines. A terminal that has become narrower has
   * wrapped them.
   */
  #goUp(): string {
    const rows = this.#drawn.map(({ width }) => Math.max(1, Math.ceil(width / this.#columns)));
    const up = rows.reduce((sum, count) => sum + count, 0);
    return up === 0 ? "\r" : `\r\u001b[${up}A`;
  }

  #erase(): string {
    return `${this.#goUp()}${ERASE_BELOW}`;
  }

  #styled({ text, style }: Span): string {
    if (style === undefined || !this.#hasColour) return text;
    return styleText(style, text, { validateStream: false });
  }

  get #columns(): number {
    // A terminal that does not know its width reports 0.
    return Math.max(2, this.#terminal.columns || 80);
  }
}

interface DrawnLine {
  /** The text with its escape sequences for styles. */
  readonly text: string;
  /** The width in columns. */
  readonly width: number;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "false" && value !== "0";
}
