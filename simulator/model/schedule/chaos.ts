import { type Waiting, passTime } from "#fixtures/ports/interleaving.ts";
import { createEvents } from "./events.ts";
import { faultName, faultOf, isWrite, tornAppend } from "./faults.ts";
import { goJudged } from "./readiness.ts";
import { createSleepers } from "./sleepers.ts";
import type { StepRandom } from "#simulator/model/step-random.ts";
import { describeStep, GO, type How, nameOfStep, type Step } from "#simulator/model/steps.ts";
import type { Weather } from "./weather.ts";
import type { Model } from "#simulator/model/model.ts";

type Standing = Waiting<Step, How>;

export interface Chaos {
  /** A record is there when the pods begin to work. */
  produce(draws: StepRandom): string;
  /** The group gives its partitions to members for the first time. */
  assign(draws: StepRandom): string;
  /** The next thing that happens; `waiting` are the pods' next steps. */
  happen(waiting: readonly Standing[], draws: StepRandom): Promise<string>;
  /** What happens instead of something that is left out: whoever has waited longest goes on. */
  goOn(waiting: readonly Standing[]): Promise<string>;
  /** Everything works again. */
  calm(): Promise<void>;
}

export function createChaos(model: Model, weather: Weather): Chaos {
  const { clock, counts, negatives, steps } = model;
  const events = createEvents(model);
  const sleepers = createSleepers({ model, ownerRate: weather.sleepRate, events });

  const goOn = async ([first]: readonly Standing[]): Promise<string> => {
    if (!first) {
      await passTime(clock);
      return "time passes";
    }
    await goJudged(model, first, GO);
    counts.add("steps", first.what.operation ?? first.what.kind);
    return `${first.who} ${describeStep(first.what)}`;
  };

  const happenBeside = async (waiting: readonly Standing[], draws: StepRandom): Promise<string> => {
    const name = weather.event(draws);
    const detail = await events.happen(name, draws);
    if (detail === undefined) return `${name} has nothing to befall: ${await goOn(waiting)}`;
    counts.add("events", name);
    return detail === "" ? name : `${name} ${detail}`;
  };

  const decide = ({ who, what }: Standing, draws: StepRandom): How => {
    const machine = who.slice(0, 1);
    const code = events.outage(machine);
    if (code && what.kind === "file" && what.phase === "before" && isWrite(what)) {
      return { kind: "fail", code };
    }
    if (what.phase === "after") return GO;
    if (draws.next() < weather.faultRate) {
      const known = negatives.get(machine)?.has(what.subject) ?? false;
      return faultOf(what, known, draws) ?? GO;
    }
    return draws.next() < weather.holdRate ? { kind: "hold" } : GO;
  };

  const stepOf = async (entry: Standing, draws: StepRandom): Promise<string> => {
    const { who, what } = entry;
    const machine = who.slice(0, 1);
    const appends = what.operation === "append" && what.phase === "before";
    const points = [
      ...model.crashPoints(entry, false),
      ...(appends ? model.crashPoints(entry, true) : []),
    ];
    const crashes = what.kind !== "notice" && weather.crashesAt(points, draws);
    const torn = crashes && appends && draws.next() < 0.5;
    if (crashes && !torn) {
      counts.add("crashes", `${what.phase} ${what.operation ?? what.kind}`);
      events.crash(machine);
      return `${who} crashes ${describeStep(what)}`;
    }
    if (!torn && sleepers.fallsAsleep(entry, draws)) return `${who} sleeps ${describeStep(what)}`;
    const how = torn ? tornAppend(what, draws) : decide(entry, draws);
    await goJudged(model, entry, how);
    counts.add("steps", what.operation ?? what.kind);
    if (how.kind !== "go" && how.kind !== "hold") counts.add("faults", faultName(how, what));
    if (torn) {
      counts.add("crashes", "inside append");
      await steps.waiting();
      events.crash(machine, entry);
      return `${who} crashes inside ${describeStep(what)}`;
    }
    return `${who} ${describeStep(what)}${how.kind === "go" ? "" : `: ${JSON.stringify(how)}`}`;
  };

  return {
    goOn,
    produce: (draws) => (events.produce(draws), "a first record"),
    assign: (draws) => (events.rebalance(draws), "the first assignment"),
    async happen(waiting, draws) {
      events.stand(waiting);
      const woken = sleepers.wakes(draws);
      if (woken) return `${woken} wakes late`;
      if (sleepers.sleeping && draws.next() < 0.05) {
        await passTime(clock);
        return "time passes";
      }
      if (waiting.length === 0 || draws.next() < weather.eventRate) {
        return happenBeside(waiting, draws);
      }
      const entry = draws.choose(waiting, nameOf);
      return entry ? stepOf(entry, draws) : "nothing";
    },
    calm: () => events.calm(),
  };
}

function nameOf({ who, what }: Standing): string {
  return nameOfStep(who.slice(0, 1), what);
}
