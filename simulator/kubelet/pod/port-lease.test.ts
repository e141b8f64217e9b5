import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { leasePort } from "./port-lease.ts";

test("leased ports differ, lie outside the ephemeral range, and can be listened on while leased", async () => {
  const leases = await Promise.all(Array.from({ length: 20 }, leasePort));
  const ports = leases.map(({ port }) => port);
  expect(new Set(ports).size).toBe(20);
  expect(ports.every((port) => port >= 20_000 && port < 32_768)).toBe(true);
  const server = createServer().listen(ports[0], "0.0.0.0");
  await once(server, "listening");
  server.close();
  for (const lease of leases) {
    lease.release();
  }
});
