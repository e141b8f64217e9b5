import { styleText } from "node:util";
import { cutToWidth, displayWidth, onOneLine } from "./display-width.ts";

export interface Terminal {
  /** Undefined or false for a pipe or a file. */
  readonly isTTY: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** A part of a line; `style` is left out where there is no colour. */
export interface Span {
  readonly text: string;
  readonly style?: "red" | "green" | "yellow" | "cyan" | "dim" | "bold";
}

export type Line = readonly Span[];

interface LiveBlockOptions {
  /** ^C: whoever says so writes where the lines stand, so they go out of the way. */
  readonly signal?: AbortSignal;
  /** Default: that of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** At most eight times a second. */
const REDRAW_INTERVAL_MS = 125;

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const ERASE_TO_END_OF_LINE = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/**
 * Lines at the bottom of a terminal that change in place, with plain lines that stay above them. Where there is no terminal, on CI, and where
 * TERM is `dumb`, the plain lines are all that is written, without any escape sequence. NO_COLOR takes the colours away.
 */
export class LiveBlock implements Disposable {
  /** Whether lines can change in place. */
  readonly isLive: boolean;
  readonly #terminal: Terminal;
  readonly #hasColour: boolean;
  #wanted: readonly Line[] = [];
  /** What stands on the terminal now: the cursor is at the beginning of the line below it. */
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

  /** Writes a line that stays, above those that change. */
  line(line: string | Line): void {
    const spans = typeof line === "string" ? [{ text: line }] : line;
    const text = `${spans.map((span) => this.#styled(span)).join("")}\n`;
    if (!this.isLive || this.#isEnded) this.#terminal.write(text);
    else this.#redraw(text);
  }

  /** Replaces the lines that change; soon, if they were drawn a moment ago. */
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

  /** Takes the changing lines away until they are shown the next time: somebody else is about to write. */
  clear(): void {
    if (this.#drawn.length > 0) this.#terminal.write(this.#erase());
    this.#drawn = [];
    this.#drawnAtMs = performance.now();
  }

  /** Takes the changing lines away for good, and shows the cursor again. */
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

  /** One write, so that nothing between two states is ever seen. Nothing at all when nothing has changed. */
  #redraw(above = ""): void {
    const lines = this.#fitted();
    this.#drawnAtMs = performance.now();
    const isSame =
      lines.length === this.#drawn.length &&
      lines.every(({ text }, index) => text === this.#drawn[index]!.text);
    if (above === "" && isSame) return;
    const hide = lines.length > 0 ? this.#hideCursor() : "";
    // Where a line stays above, what is left of the old lines behind its end must go first.
    const begin = above === "" ? this.#goUp() : this.#erase();
    const block = lines.map(({ text }) => `${text}${ERASE_TO_END_OF_LINE}\n`).join("");
    this.#terminal.write(`${hide}${begin}${above}${block}${ERASE_BELOW}`);
    this.#drawn = lines;
  }

  #hideCursor(): string {
    if (this.#isCursorHidden) return "";
    this.#isCursorHidden = true;
    // The last chance when the process is ended in the middle of the work.
    process.once("exit", this.#onExit);
    return HIDE_CURSOR;
  }

  /** The lines as they fit the terminal. What scrolled out of sight could not be drawn again, so there are never more lines than rows. */
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
    let room = isWhole ? width : width - 1;
    const parts: string[] = [];
    for (const span of spans) {
      const text = cutToWidth(span.text, room);
      room -= displayWidth(text);
      if (text !== "") parts.push(this.#styled({ ...span, text }));
      if (text !== span.text) break;
    }
    return isWhole
      ? { text: parts.join(""), width: width - room }
      : { text: `${parts.join("")}…`, width: width - room };
  }

  /** To the first of the lines that are drawn. A terminal that has become narrower has wrapped them. */
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
    // A terminal that does not know its width says 0.
    return Math.max(2, this.#terminal.columns || 80);
  }
}

interface DrawnLine {
  /** With its styles. */
  readonly text: string;
  /** In columns. */
  readonly width: number;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "false" && value !== "0";
}
