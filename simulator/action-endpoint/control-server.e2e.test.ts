import { describe, expect, test } from "vitest";
import { jsonField } from "#simulator/http/json-fields.ts";
import { requestJson } from "#simulator/http/json-request.ts";
import { eventually, startSimulator } from "#simulator/process/simulator-process.ts";

describe("the action endpoint as a process", () => {
  test("can be queried and held over its control server", async () => {
    await using setup = await start();
    const created = await setup.control("/holds", { moment: "after-effect" });
    expect(created.status).toBe(201);
    const hold = `/holds/${String(jsonField(created.body, "id"))}`;
    const answer = setup.act("k");
    await eventually(async () =>
      expect((await setup.control(hold)).body).toEqual({
        hits: 1,
        arrived: expect.objectContaining({ key: "k" }),
      }),
    );
    expect((await setup.control("/effects?key=k")).body).toHaveLength(1);
    expect((await setup.control(`${hold}/release`, {})).status).toBe(204);
    expect((await answer).status).toBe(200);
    expect((await setup.control("/duplicates")).body).toEqual({});
    await setup.act("k");
    expect(jsonField((await setup.control("/duplicates")).body, "k")).toHaveLength(2);
  });

  test("takes responses and resets over its control server", async () => {
    await using setup = await start();
    expect((await setup.control("/responses", { status: 503, times: 1 })).body).toEqual({
      id: "1",
    });
    expect((await setup.act("k")).status).toBe(503);
    expect((await setup.control("/rules/1")).body).toEqual({ hits: 1 });
    expect((await setup.control("/resets", { applied: false })).body).toEqual({ id: "2" });
    await expect(setup.act("k")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect((await setup.control("/effects")).body).toEqual([]);
    expect((await setup.control("/requests")).body).toHaveLength(2);
  });

  test.each([
    { path: "/holds", body: { moment: "never" } },
    { path: "/responses", body: { state: 200 } },
    { path: "/resets", body: {} },
  ])("refuses $body at $path with 400", async ({ path, body }) => {
    await using setup = await start();
    expect(await setup.control(path, body)).toMatchObject({ status: 400, body: { code: 400 } });
    expect((await setup.act("k")).status).toBe(200);
  });
});

async function start() {
  const running = startSimulator(["action-endpoint"]);
  const { url, control } = await running.listening();
  return {
    control: (path: string, body?: unknown) =>
      requestJson(`${String(control)}${path}`, body === undefined ? {} : { method: "POST", body }),
    act: (key: string) =>
      requestJson(String(url), { method: "POST", headers: { "idempotency-key": key } }),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
