import { createWriteStream } from "node:fs";
import type { WriteStream } from "node:fs";
import { once } from "node:events";

type EventSource =
  | "run"
  | "scenario"
  | "pod"
  | "broker"
  | "athenz"
  | "ckms"
  | "action-endpoint"
  | "splunk"
  | "checker"
  | "fault"
  | "chaos";

/** One thing that happened, in the order in which the kit saw it. Fields never hold a secret. */
export interface RunEvent {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Number and name, such as `08-sigkill-at-a-barrier`; null for the run itself. */
  readonly scenario: string | null;
  readonly source: EventSource;
  /** Stable name in dotted words. */
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Where scenarios and simulators tell what happened; `atMs` defaults to now. */
export type Tell = (
  source: EventSource,
  event: string,
  fields?: Readonly<Record<string, unknown>>,
  atMs?: number,
) => void;

export interface RecorderOptions {
  /** False: `events` stays empty. A run of hours has more of them than memory should hold. Default true. */
  readonly keepsEvents?: boolean;
}

/** Writes every event to one NDJSON file as it happens and keeps it for the reports. */
export class Recorder implements AsyncDisposable {
  readonly events: RunEvent[] = [];
  readonly #keepsEvents: boolean;
  readonly #listeners: ((event: RunEvent) => void)[] = [];
  readonly #file: WriteStream;

  constructor(path: string, { keepsEvents = true }: RecorderOptions = {}) {
    this.#keepsEvents = keepsEvents;
    this.#file = createWriteStream(path, { flags: "wx" });
    // A full disk must end the run with its own message, which the dispose below throws.
    this.#file.on("error", () => {});
  }

  record(event: RunEvent): void {
    if (this.#keepsEvents) this.events.push(event);
    this.#file.write(`${JSON.stringify(event, plain)}\n`);
    for (const listener of this.#listeners) listener(event);
  }

  tell(scenario: string | null): Tell {
    return (source, event, fields = {}, atMs = Date.now()) => {
      this.record({ atMs, scenario, source, event, fields });
    };
  }

  listen(listener: (event: RunEvent) => void): void {
    this.#listeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#file.errored !== null) throw this.#file.errored;
    if (this.#file.closed) return;
    this.#file.end();
    await once(this.#file, "close");
  }
}

/** JSON has no big integers: offsets become decimal strings. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
