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

/** An event of a run, in the order in which the kit saw it. Its fields never hold a secret. */
export interface RunEvent {
  /** The time of the event, in milliseconds since the epoch. */
  readonly atMs: number;
  /** The number and name of the scenario, such as `08-sigkill-at-a-barrier`. Null for the run itself. */
  readonly scenario: string | null;
  readonly source: EventSource;
  /** The stable name of the event, in dotted words. */
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Records an event of a scenario or of a simulator. `atMs` defaults to the present time. */
export type RecordEvent = (
  source: EventSource,
  event: string,
  fields?: Readonly<Record<string, unknown>>,
  atMs?: number,
) => void;

export interface RecorderOptions {
  /**
   * True when `events` keeps every event. A run of hours has more of them than memory should hold. Defaults to true.
   */
  readonly keepsEvents?: boolean;
}

/** Writes every event to an NDJSON file as it happens, and keeps it for the reports. */
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

  recordFor(scenario: string | null): RecordEvent {
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

/** Turns big integers into decimal strings, since JSON has no big integers. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
