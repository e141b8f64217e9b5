import { expect, test } from "vitest";
import type { PlantedFault } from "./planted-faults.ts";
import { proofCount, proveFaults } from "./proofs.ts";
import type { Control, Proof, Search } from "./proofs.ts";

const LOCAL: PlantedFault = {
  name: "commit-early",
  title: "It commits early.",
  tier: "local",
  checkers: ["committed-terminal"],
  edits: [],
};
const SIMULATED: PlantedFault = {
  name: "epoch-unchecked",
  title: "It checks no epoch.",
  tier: "simulate",
  invariants: ["a process sends nothing for an assignment that it has lost"],
  edits: [],
};

const QUIET: Control = { broken: null, played: "2 schedules, 9.0 s" };
const FOUND: Search = { found: "by committed-terminal", played: "1 schedules, 5.0 s" };
const NOT_FOUND: Search = { found: null, played: "12 schedules, 60.0 s" };

/**
 * Proves both faults. The prover answers as the test tells it, and can interrupt the run while it
 * works.
 */
function prove(answers: {
  readonly control?: (interrupt: () => void) => Control;
  readonly find?: (name: string, interrupt: () => void) => Search;
}) {
  const { control = () => QUIET, find = () => FOUND } = answers;
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new Error("interrupted"));
  const begun: string[] = [];
  const shown: Proof[] = [];
  const proofs = proveFaults({
    faults: [LOCAL, SIMULATED],
    signal: controller.signal,
    onProof: (proof) => shown.push(proof),
    prover: {
      control: async (tier) => {
        begun.push(tier);
        return control(interrupt);
      },
      find: async ({ name }) => {
        begun.push(name);
        return find(name, interrupt);
      },
    },
  });
  return { proofs, begun, shown };
}

const statuses = (proofs: readonly Proof[]) => proofs.map(({ name, status }) => [name, status]);

test("an unchanged copy of each tier comes first, then each planted fault", async () => {
  const { proofs, shown } = prove({});
  expect(await proofs).toEqual([
    {
      name: "unchanged copy (local)",
      status: "passed",
      text: "nothing broke in 2 schedules, 9.0 s",
    },
    {
      name: "unchanged copy (simulate)",
      status: "passed",
      text: "nothing broke in 2 schedules, 9.0 s",
    },
    {
      name: "commit-early (local)",
      status: "passed",
      text: "found in 1 schedules, 5.0 s, by committed-terminal",
    },
    {
      name: "epoch-unchecked (simulate)",
      status: "passed",
      text: "found in 1 schedules, 5.0 s, by committed-terminal",
    },
  ]);
  expect(shown).toEqual(await proofs);
  expect(proofCount([LOCAL, SIMULATED])).toBe(4);
});

test("a fault that nothing finds fails, and the next ones are proved all the same", async () => {
  const { proofs } = prove({
    find: (name) => (name === LOCAL.name ? NOT_FOUND : FOUND),
  });
  expect((await proofs).slice(2)).toMatchObject([
    { name: "commit-early (local)", status: "failed", text: "not found in 12 schedules, 60.0 s" },
    { name: "epoch-unchecked (simulate)", status: "passed" },
  ]);
});

test("an unchanged copy that breaks something fails with what broke", async () => {
  const { proofs } = prove({ control: () => ({ ...QUIET, broken: "clean-stop broke" }) });
  expect((await proofs)[0]).toEqual({
    name: "unchanged copy (local)",
    status: "failed",
    text: "clean-stop broke (2 schedules, 9.0 s)",
  });
});

test("an interrupted proof has neither passed nor failed, and the next one is not begun", async () => {
  const searched = prove({
    find: (_name, interrupt) => {
      interrupt();
      return NOT_FOUND;
    },
  });
  expect(statuses(await searched.proofs)).toEqual([
    ["unchanged copy (local)", "passed"],
    ["unchanged copy (simulate)", "passed"],
    ["commit-early (local)", "interrupted"],
  ]);
  expect(searched.begun).toEqual(["local", "simulate", "commit-early"]);

  const unchanged = prove({
    control: (interrupt) => {
      interrupt();
      return QUIET;
    },
  });
  expect(statuses(await unchanged.proofs)).toEqual([["unchanged copy (local)", "interrupted"]]);
});

test("what was found before the interruption counts", async () => {
  const found = prove({
    find: (_name, interrupt) => {
      interrupt();
      return FOUND;
    },
  });
  expect((await found.proofs).at(-1)).toMatchObject({ status: "passed" });
  const broken = prove({
    control: (interrupt) => {
      interrupt();
      return { ...QUIET, broken: "clean-stop broke" };
    },
  });
  expect(statuses(await broken.proofs)).toEqual([["unchanged copy (local)", "failed"]]);
});

function fail(): never {
  throw new Error("simulate ended with 70");
}

test("an error of the interruption is no failure, and any other one is thrown", async () => {
  const interrupted = prove({
    find: (_name, interrupt) => {
      interrupt();
      return fail();
    },
  });
  expect((await interrupted.proofs).at(-1)).toMatchObject({ status: "interrupted" });
  await expect(prove({ find: fail }).proofs).rejects.toThrow("simulate ended with 70");
});
