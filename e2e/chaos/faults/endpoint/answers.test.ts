import { expect, test } from "vitest";
import { z } from "zod";
import { seededRandom } from "#e2e/base/random.ts";
import { endpointError } from "./answers.ts";

const drawn = z.object({ status: z.int(), applied: z.boolean() });

test("an endpoint never applies what it answers with a status that says that it did not", () => {
  const all = Array.from({ length: 200 }, (_, seed) =>
    drawn.parse(endpointError.draw(seededRandom(seed, "test"))),
  );
  const applied = new Set(all.filter((one) => one.applied).map(({ status }) => status));
  expect(applied).toEqual(new Set([500, 502, 504]));
  expect(all.some(({ status }) => status === 503)).toBe(true);
});

test("a schedule cannot ask for it either", () => {
  const { error } = endpointError.parameters.safeParse({ status: 503, applied: true });
  expect(error?.issues).toMatchObject([
    { path: ["applied"], message: expect.stringMatching(/^must be false .*\(429, 503\)$/) },
  ]);
  for (const given of [
    { status: 503, applied: false },
    { status: 500, applied: true },
  ]) {
    expect(endpointError.parameters.safeParse(given).success).toBe(true);
  }
});
