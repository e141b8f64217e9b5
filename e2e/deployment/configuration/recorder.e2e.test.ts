import { expect, test } from "vitest";
import { sendCommand } from "#consumer/adapters/command-action.ts";
import { startActionEndpoint } from "#simulator/action-endpoint/action-endpoint.ts";
import { recordedCommand, recordedVariables } from "./recorder.ts";

const TRACE = { traceId: "0af7651916cd43dd8448eb211c80319c", parentId: "b7ad6b7169203331" };

test("records the arguments and the names of the variables, and runs nothing", async () => {
  await using endpoint = await startActionEndpoint();
  const command = ["/bin/rm", "-rf", "--", "$(touch /tmp/never)", "", 'a "b"\n'];
  const environment = { TEAM: "sre", TOKEN: "a secret value" };
  const [executable = "", ...args] = recordedCommand(command, endpoint.url);
  const result = await sendCommand(
    { type: "command", command: [executable, ...args], environment },
    {
      idempotencyKey: "k",
      traceparent: `00-${TRACE.traceId}-${TRACE.parentId}-01`,
      deadlineMs: 20_000,
      closing: new AbortController().signal,
    },
  );
  expect(result).toEqual({ outcome: "done", detail: "exit 0" });
  const [effect, ...more] = await endpoint.control.effects();
  expect(more).toEqual([]);
  expect(effect).toMatchObject({ key: "k", ...TRACE, method: "POST", path: "/command" });
  expect(JSON.parse(effect?.body ?? "")).toEqual({
    argv: command,
    variables: recordedVariables(environment),
  });
  expect(effect?.body).not.toContain("secret value");
});

test("says that nothing was applied when the endpoint refuses", async () => {
  await using endpoint = await startActionEndpoint();
  await using _refusal = await endpoint.control.respond({ status: 503 });
  const [executable = "", ...args] = recordedCommand(["/bin/true"], endpoint.url);
  const result = await sendCommand(
    { type: "command", command: [executable, ...args], environment: {} },
    {
      idempotencyKey: "k",
      traceparent: "",
      deadlineMs: 20_000,
      closing: new AbortController().signal,
    },
  );
  expect(result.outcome).toBe("failed-not-applied");
});
