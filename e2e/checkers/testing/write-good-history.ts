import type { HistoryEvent } from "#e2e/checkers/history-event.ts";
import type { Choose } from "./choices.ts";
import { HistoryBuilder } from "./history-builder.ts";
import { RecordProgress } from "./record-progress.ts";

export interface HistoryOptions {
  readonly records: number;
  readonly partitions?: number;
  /** The number of steps of the pods for each record that is published. */
  readonly stepsPerRecord?: number;
  readonly choose: Choose;
}

/**
 * This is more than the clocks of two places may differ by, so that a changed order is seen as one.
 */
const STEP_MS = 100;

/**
 * Writes a correct run of two pods: records of every kind come while pods are killed, stopped,
 * frozen, kept from writing and rebalanced, and at the end everything has converged.
 */
export function writeGoodHistory(options: HistoryOptions): HistoryBuilder {
  const run = new GoodRun(options);
  for (let record = 0; record < options.records; record += 1) {
    run.publish();
    for (let step = 0; step < (options.stepsPerRecord ?? 4); step += 1) run.step();
  }
  return run.end();
}

class GoodRun {
  readonly #builder = new HistoryBuilder();
  readonly #choose: Choose;
  readonly #partitions: number;
  /** The records by partition, in the order of offsets. */
  readonly #records: RecordProgress[][];
  /** The records that are not finished. */
  #open: RecordProgress[] = [];
  readonly #committed: number[];
  /** The pods that can work. The owner of partition n is the one at n modulo their number. */
  #pods = ["pod-a", "pod-b"];
  #podsMade = 2;
  #frozen: { readonly pod: string; readonly late: readonly (() => void)[] } | undefined;
  #full: string | undefined;
  #incidents = 0;

  constructor({ choose, partitions = 2 }: HistoryOptions) {
    this.#choose = choose;
    this.#partitions = partitions;
    this.#records = Array.from({ length: partitions }, () => []);
    this.#committed = Array.from({ length: partitions }, () => 0);
    for (const pod of this.#pods) this.#builder.podEvent(pod, "started");
    this.#assign();
  }

  publish(): void {
    const builder = this.#builder.wait(STEP_MS);
    const partition = this.#choose(this.#partitions);
    const records = this.#records[partition] ?? [];
    const known = records.filter(({ action }) => action !== undefined);
    const earlier = known[this.#choose(Math.max(1, known.length))];
    const offset = builder.end(partition);
    const record = this.#record(this.#choose(12), { partition, offset }, earlier);
    records.push(record);
    this.#open.push(record);
    builder.deliver(offset, builder.end(partition), { pod: this.#owner(partition), partition });
  }

  #record(
    kind: number,
    place: { readonly partition: number; readonly offset: string },
    earlier: RecordProgress | undefined,
  ): RecordProgress {
    const builder = this.#builder;
    const { partition, offset } = place;
    if (kind === 6) {
      builder.publishPlain("i0", partition);
      return new RecordProgress({ ...place, incident: "i0", action: undefined });
    }
    if (kind === 7) {
      builder.publishPlain(null, partition);
      return new RecordProgress({ ...place, incident: null, action: undefined });
    }
    if (earlier?.action !== undefined && kind >= 8) {
      const { expected } = earlier.action;
      const { incident } = expected;
      // The latest record of the incident decides, since its records come in order.
      const before = this.#records[partition]?.findLast((record) => record.incident === incident);
      if (kind <= 9 && before?.action?.key === earlier.action.key) {
        builder.publishRecord(partition, offset, incident, [expected]);
        return new RecordProgress({ ...place, incident, action: earlier.action }, { before });
      }
      const transition = `transition-${offset}`;
      const action = builder.publish(incident, { partition, transition });
      return new RecordProgress({ ...place, incident, action }, { before });
    }
    this.#incidents += 1;
    const incident = `i${this.#incidents}`;
    const action = builder.publish(incident, { partition, idempotent: kind === 4 });
    return new RecordProgress({ ...place, incident, action }, { isTooOld: kind === 5 });
  }

  step(): void {
    this.#builder.wait(STEP_MS);
    switch (this.#choose(16)) {
      case 10:
        return this.#commit(this.#choose(this.#partitions));
      case 11:
        return this.#rebalance();
      case 12:
        return this.#kill();
      case 13:
        return this.#stop();
      case 14:
        return this.#frozen === undefined ? this.#freeze() : this.#thaw();
      case 15:
        return this.#full === undefined ? this.#fill() : this.#relieve();
      default:
        this.#advance();
    }
  }

  end(): HistoryBuilder {
    this.#thaw();
    this.#relieve();
    while (this.#advance()) this.#builder.wait(STEP_MS);
    for (let partition = 0; partition < this.#partitions; partition += 1) this.#commit(partition);
    return this.#builder.mark("healed").mark("converged");
  }

  /** Advances one record. Returns false when none can advance. */
  #advance(): boolean {
    this.#open = this.#open.filter(({ isFinished }) => !isFinished);
    const possible = this.#open.filter((record) => this.#canAdvance(record));
    const record = possible[this.#choose(Math.min(4, Math.max(1, possible.length)))];
    record?.advance(this.#builder, this.#owner(record.partition), this.#choose);
    return record !== undefined;
  }

  /**
   * Returns true when the record can advance. A pod whose volume is full sends what it has claimed
   * but writes nothing.
   */
  #canAdvance(record: RecordProgress): boolean {
    if (!record.isPossible) return false;
    return !record.needsVolume || this.#owner(record.partition) !== this.#full;
  }

  #owner(partition: number): string {
    return this.#pods[partition % this.#pods.length] ?? "";
  }

  #commit(partition: number): void {
    const records = this.#records[partition] ?? [];
    const open = records.find(({ isFinished }) => !isFinished);
    const next = open === undefined ? records.length : Number(open.offset);
    if (next <= (this.#committed[partition] ?? 0)) return;
    this.#committed[partition] = next;
    this.#builder.commit(String(next), { partition, pod: this.#owner(partition) });
  }

  #assign(): void {
    const owned = Map.groupBy(this.#records.keys(), (partition) => this.#owner(partition));
    this.#builder.assign(Object.fromEntries(this.#pods.map((pod) => [pod, owned.get(pod) ?? []])));
  }

  /**
   * Moves the partitions to other pods after the work under way is complete. A commit of the
   * generation before is refused.
   */
  #rebalance(): void {
    this.#relieve();
    for (const record of this.#open) record.drain(this.#builder);
    const pod = this.#owner(0);
    this.#pods.reverse();
    this.#assign();
    const generation = this.#builder.generation - 1;
    this.#builder.commit(this.#builder.end(0), { pod, generation, accepted: false });
  }

  /** Kills a container, which is started again. Its last log lines may be lost with the process. */
  #kill(): void {
    const [pod = "", other = pod] = this.#pods;
    if (pod === this.#full) this.#relieve();
    this.#builder.podEvent(pod, "exit", { exitCode: 137 });
    this.#loseLines(pod, this.#choose(3));
    this.#builder.podEvent(pod, "started");
    this.#abandon(pod, other);
    this.#assign();
  }

  /** Deletes a pod, which completes what it has claimed; another one takes its place. */
  #stop(): void {
    const [pod = "", ...others] = this.#pods;
    if (pod === this.#full) this.#relieve();
    this.#builder.podEvent(pod, "deletion-requested");
    for (const record of this.#open) {
      if (record.claimant === pod) record.drain(this.#builder);
    }
    this.#builder.podEvent(pod, "exit", { exitCode: 0 });
    const next = `pod-${String.fromCodePoint(97 + this.#podsMade)}`;
    this.#podsMade += 1;
    this.#builder.podEvent(next, "started");
    this.#pods = [...others, next];
    this.#assign();
  }

  #freeze(): void {
    const [pod = "", ...others] = this.#pods;
    const [other] = others;
    if (other === undefined || pod === this.#full) return;
    this.#builder.fault("pod.freeze", "injected", pod);
    this.#pods = others;
    this.#assign();
    this.#frozen = { pod, late: this.#abandon(pod, other) };
  }

  #thaw(): void {
    if (this.#frozen === undefined) return;
    const { pod, late } = this.#frozen;
    this.#frozen = undefined;
    this.#builder.fault("pod.freeze", "healed", pod);
    for (const goOn of late) goOn();
    for (const record of this.#open) record.drain(this.#builder);
    this.#pods = [...this.#pods, pod];
    this.#assign();
  }

  #fill(): void {
    const [pod] = this.#pods;
    this.#full = pod;
    this.#builder.fault("volume.full", "injected", pod);
  }

  #relieve(): void {
    if (this.#full === undefined) return;
    this.#builder.fault("volume.full", "healed", this.#full);
    this.#full = undefined;
  }

  #abandon(pod: string, other: string): readonly (() => void)[] {
    return this.#open.flatMap((record) => {
      if (record.claimant !== pod) return [];
      return record.abandon(this.#builder, other) ?? [];
    });
  }

  #loseLines(pod: string, count: number): void {
    const { events } = this.#builder;
    for (let lost = 0; lost < count; lost += 1) {
      const last = events.findLastIndex((event) => isLine(event, pod));
      const event = events[last];
      if (event === undefined || (event.kind === "ended" && event.attempt === 0)) return;
      events.splice(last, 1);
    }
  }
}

function isLine(event: HistoryEvent, pod: string): boolean {
  if (event.kind === "sending") return event.pod === pod;
  return (
    (event.kind === "claimed" || event.kind === "ended") &&
    event.from === "log" &&
    event.pod === pod
  );
}
