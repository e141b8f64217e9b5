import { fastify } from "fastify";
import { z } from "zod";
import { messageOf } from "#consumer/errors.ts";
import type { Arrival, Hold, Rule, ActionEndpointControl } from "./action-endpoint-control.ts";

export interface RunningControlServer extends AsyncDisposable {
  readonly url: string;
}

const match = z.strictObject({
  key: z.string().exactOptional(),
  method: z.string().exactOptional(),
  path: z.string().exactOptional(),
});
const times = z.int().positive().exactOptional();
const holdSchema = z.strictObject({
  moment: z.enum(["before-request", "after-effect"]),
  match: match.exactOptional(),
  times,
});
const responseSchema = z.strictObject({
  status: z.int().min(100).max(599).exactOptional(),
  body: z.string().exactOptional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  effectDelayMs: z.number().nonnegative().exactOptional(),
  delayMs: z.number().nonnegative().exactOptional(),
  applied: z.boolean().exactOptional(),
  match: match.exactOptional(),
  times,
});
const resetSchema = z.strictObject({ applied: z.boolean(), match: match.exactOptional(), times });

interface InstalledHold {
  readonly hold: Hold;
  arrived: Arrival | null;
}

interface ById {
  readonly Params: { readonly id: string };
}

/**
 * Serves the control of an action endpoint to other processes, as JSON over HTTP: GET
 * /effects[?key=], /requests, /duplicates; POST /holds, GET /holds/ID, POST /holds/ID/release and
 * /drop; POST /responses and /resets, GET and DELETE /rules/ID. Bodies are HoldOptions with a
 * moment, ResponseRule and ResetOptions.
 */
export async function startControlServer(
  control: ActionEndpointControl,
  options: { readonly host: string; readonly port: number },
): Promise<RunningControlServer> {
  const holds = new Map<string, InstalledHold>();
  const rules = new Map<string, Rule>();
  const server = fastify({ forceCloseConnections: true });
  server.setErrorHandler(async (error, _request, reply) => {
    const code = error instanceof z.ZodError ? 400 : 500;
    const message = messageOf(error);
    await reply.code(code).send({ code, message });
  });

  server.get<{ Querystring: { readonly key?: string } }>("/effects", ({ query }) =>
    query.key === undefined ? control.effects() : control.byKey(query.key),
  );
  server.get("/requests", () => control.requests());
  server.get("/duplicates", async () => Object.fromEntries(await control.duplicates()));

  server.post("/holds", async ({ body }, reply) => {
    const { moment, ...settings } = holdSchema.parse(body);
    const hold = await control.hold(moment, settings);
    const entry: InstalledHold = { hold, arrived: null };
    void noteArrival(entry);
    return await reply.code(201).send({ id: add(holds, entry) });
  });
  server.get<ById>("/holds/:id", async ({ params }, reply) => {
    const entry = holds.get(params.id);
    if (entry === undefined) return reply.callNotFound();
    return { hits: await entry.hold.hits(), arrived: entry.arrived };
  });
  for (const ending of ["release", "drop"] as const) {
    server.post<ById>(`/holds/:id/${ending}`, async ({ params }, reply) => {
      const entry = holds.get(params.id);
      if (entry === undefined) return reply.callNotFound();
      await entry.hold[ending]();
      return await reply.code(204).send();
    });
  }

  server.post("/responses", async ({ body }, reply) => {
    const rule = await control.respond(responseSchema.parse(body));
    return await reply.code(201).send({ id: add(rules, rule) });
  });
  server.post("/resets", async ({ body }, reply) => {
    const rule = await control.reset(resetSchema.parse(body));
    return await reply.code(201).send({ id: add(rules, rule) });
  });
  server.get<ById>("/rules/:id", async ({ params }, reply) => {
    const rule = rules.get(params.id);
    return rule === undefined ? reply.callNotFound() : { hits: await rule.hits() };
  });
  server.delete<ById>("/rules/:id", async ({ params }, reply) => {
    await rules.get(params.id)?.[Symbol.asyncDispose]();
    return await reply.code(204).send();
  });

  const url = await server.listen(options);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      await server.close();
    },
  };
}

function add<T>(entries: Map<string, T>, entry: T): string {
  const id = String(entries.size + 1);
  entries.set(id, entry);
  return id;
}

async function noteArrival(entry: InstalledHold): Promise<void> {
  // A hold that was released without an arrival leaves nothing to record.
  entry.arrived = await entry.hold.arrived.catch(() => null);
}
