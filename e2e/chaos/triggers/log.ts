import { z } from "zod";
import { APP } from "#e2e/targets/pods.ts";
import { followLogs } from "#e2e/targets/follow-logs.ts";
import { fieldsOf } from "#e2e/trace/run-log.ts";
import type { Activity } from "#e2e/chaos/activities.ts";
import { triggerKind } from "#e2e/chaos/trigger-kind.ts";
import type { ArmedTrigger, TriggerContext, TriggerKind } from "#e2e/chaos/trigger-kind.ts";
import { MomentCount } from "./moment-count.ts";

/**
 * Events that the consumer logs, each with the activities that cause it. Rare ones are left out,
 * since nobody could wait for them.
 */
export const LOG_EVENTS = {
  "action.claimed": "actions",
  "action.sending": "actions",
  "action.ended": "actions",
  "dead-letter.acknowledged": "dead-letters",
  "health.listening": "starts",
  "history.recovered": "starts",
  "process.ended": "stops",
  "broker.joined": "rebalances",
  "identity.renewed": "certificates",
} as const satisfies Readonly<Record<string, Activity>>;

type LogEvent = keyof typeof LOG_EVENTS;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names of a literal
const NAMES = Object.keys(LOG_EVENTS) as LogEvent[];

export const LOG_TRIGGERS: readonly TriggerKind[] = [
  triggerKind<{ readonly event: LogEvent }>({
    name: "log.event",
    title: "A consumer has logged the event.",
    holds: false,
    needs: [],
    // Some of the events come with any load that has actions.
    requires: ["actions"],
    requiresFor: ({ event }) => [LOG_EVENTS[event]],
    parameters: z.strictObject({ event: z.enum(NAMES) }),
    draw: (random, found) => ({
      event: random.pick(NAMES.filter((name) => found?.has(LOG_EVENTS[name]) ?? true)),
    }),
    arm: async (context, { event }) => await armLog(context, event),
  }),
];

async function armLog(context: TriggerContext, event: LogEvent): Promise<ArmedTrigger> {
  const count = new MomentCount(context);
  const stopping = new AbortController();
  const { ended } = await followLogs(context.deployment.target, {
    container: APP,
    signal: AbortSignal.any([context.signal, stopping.signal]),
    onLine: (line, pod) => {
      if (isOfEvent(line, event) && count.isTheOne(pod)) count.reach(pod, `${event} was logged`);
    },
  });
  const release = async (): Promise<void> => {
    stopping.abort();
    await ended;
  };
  return { reached: count.reached, release, [Symbol.asyncDispose]: release };
}

function isOfEvent(line: string, event: LogEvent): boolean {
  // Most lines are of other events.
  return line.includes(`"${event}"`) && fieldsOf(line).event === event;
}
