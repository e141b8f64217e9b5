import { describe, expect, test } from "vitest";
import type { Incident } from "./incident.ts";
import { match as matchActions } from "./plan.ts";
import type { PlanSettings, PlannedAction, RejectedAction } from "./plan.ts";
import type { CommandRuleAction, HttpRuleAction, Rule } from "./rules.ts";

const INCIDENT: Incident = {
  id: "653989e52d00001901351684",
  status: "critical",
  severity: "critical",
  startedOnMs: 1_795_564_800_000,
  title: 'Disk "var" full\nnow',
  environments: ["production"],
  tags: new Map([
    ["service", ["web"]],
    ["path", [".."]],
    ["team", ["sre"]],
  ]),
  extra: new Map(),
};
const HTTP: HttpRuleAction = {
  name: "open-ticket",
  type: "http",
  method: "POST",
  url: "https://tickets.example/incidents/{{incident.id}}",
  headers: {},
  body: null,
  useIdentity: false,
  notAppliedStatuses: [429],
  idempotent: false,
  attemptsMax: 3,
};
const COMMAND: CommandRuleAction = {
  name: "run-script",
  type: "command",
  command: ["/bin/echo", "{{incident.title}}"],
  environment: {},
  idempotent: true,
  attemptsMax: 1,
};
const LIVE = { mode: "live", actionDeadlineMs: 30_000 } as const;

const rule = (change: Partial<Rule> = {}): Rule => ({
  name: "restart-web",
  match: {},
  actions: [HTTP],
  ...change,
});

/** Every matching action, filled. */
function plan(incident: Incident, rules: readonly Rule[], settings: PlanSettings) {
  const matched = matchActions(incident, rules, settings);
  const actions: PlannedAction[] = [];
  const rejected: RejectedAction[] = [];
  for (const action of matched) {
    const planned = action.plan();
    if ("rejection" in planned) rejected.push(planned);
    else actions.push(planned);
  }
  return { matched, actions, rejected };
}

/** The one action of a rule with one HTTP action. */
function http(change: Partial<HttpRuleAction>, incident = INCIDENT) {
  const planned = plan(incident, [rule({ actions: [{ ...HTTP, ...change }] })], LIVE);
  const spec = planned.actions[0]?.spec;
  return { spec: spec?.type === "http" ? spec : undefined, rejected: planned.rejected[0] };
}

describe("matching", () => {
  test.each<[string, Rule["match"], boolean]>([
    ["nothing asked", {}, true],
    ["status among those asked", { status: ["ok", "critical"] }, true],
    ["another status", { status: ["ok"] }, false],
    ["another case", { status: ["Critical"] }, false],
    ["one of its environments", { environment: ["use1", "production"] }, true],
    ["every tag", { tags: { service: ["web", "api"], team: ["sre"] } }, true],
    ["one tag differs", { tags: { service: ["web"], team: ["dba"] } }, false],
    ["a tag it lacks", { tags: { region: ["use1"] } }, false],
    ["one of several fields differs", { status: ["critical"], severity: ["warning"] }, false],
  ])("%s", (_name, match, expected) => {
    const planned = plan(INCIDENT, [rule({ match })], LIVE);
    expect(planned.matched).toHaveLength(expected ? 1 : 0);
    expect(planned.actions).toHaveLength(expected ? 1 : 0);
  });

  test("an absent severity matches no asked severity", () => {
    const match = { severity: ["critical"] };
    expect(plan({ ...INCIDENT, severity: null }, [rule({ match })], LIVE).matched).toEqual([]);
  });
});

describe("plan", () => {
  test("holds the actions of all matching rules in their order, each with a key of its own", () => {
    const rules = [
      rule(),
      rule({ name: "other", match: { status: ["ok"] } }),
      rule({ name: "second", actions: [HTTP, COMMAND] }),
    ];
    const { actions } = plan(INCIDENT, rules, LIVE);
    expect(actions.map((each) => `${each.rule}/${each.action}`)).toEqual([
      "restart-web/open-ticket",
      "second/open-ticket",
      "second/run-script",
    ]);
    expect(new Set(actions.map(({ key }) => key)).size).toBe(3);
  });

  test("is the same for the same incident and rules", () => {
    const rules = [rule({ actions: [HTTP, COMMAND] })];
    expect(plan({ ...INCIDENT }, rules, LIVE).actions).toEqual(plan(INCIDENT, rules, LIVE).actions);
  });

  test("takes over what the rule says, and the default deadline", () => {
    const [action] = plan(
      INCIDENT,
      [rule({ actions: [{ ...COMMAND, deadlineMs: 7 }] })],
      LIVE,
    ).actions;
    expect(action).toMatchObject({
      deadlineMs: 7,
      idempotent: true,
      attemptsMax: 1,
      dryRun: false,
      incident: { id: INCIDENT.id, transition: "critical", startedOnMs: INCIDENT.startedOnMs },
    });
    expect(plan(INCIDENT, [rule()], LIVE).actions[0]?.deadlineMs).toBe(30_000);
  });

  test("of a dry run has other keys", () => {
    const dry = plan(INCIDENT, [rule()], { ...LIVE, mode: "dry-run" }).actions[0];
    expect(dry?.dryRun).toBe(true);
    expect(dry?.key).not.toBe(plan(INCIDENT, [rule()], LIVE).actions[0]?.key);
  });

  test("for a person has the keys of a live one, and takes the limits of its rule along", () => {
    const limits = { coolDownMs: 1 };
    const manual = plan(INCIDENT, [{ ...rule(), limits }], { ...LIVE, mode: "manual" }).actions[0];
    const live = plan(INCIDENT, [rule()], LIVE).actions[0];
    expect(manual).toStrictEqual({ ...live, manual: true, limits });
  });

  test("the key depends on transition and episode, not on title, tags or severity", () => {
    const key = (change: Partial<Incident>) =>
      plan({ ...INCIDENT, ...change }, [rule()], LIVE).actions[0]?.key;
    const same = key({});
    expect(key({ title: "changed", severity: "warning", tags: new Map() })).toBe(same);
    expect(key({ status: "ok" })).not.toBe(same);
    expect(key({ startedOnMs: INCIDENT.startedOnMs + 1000 })).not.toBe(same);
  });
});

const plannedIn = (mode: Rule["mode"], ofAll: PlanSettings["mode"]) =>
  plan(INCIDENT, [rule({ mode })], { ...LIVE, mode: ofAll }).actions[0];

const hosts = (...values: string[]) => new Map([["host", values]]);

function planLimited(tags: Incident["tags"], match: Rule["match"] = {}) {
  const limits = { per: ["tags.host", "incident.id"] } as const;
  return plan({ ...INCIDENT, tags }, [rule({ match, limits })], LIVE);
}

function limitValuesOf(...given: Parameters<typeof planLimited>) {
  return planLimited(...given).actions[0]?.limits?.values;
}

describe("limits per value", () => {
  test("have the values of the incident, those that the conditions choose, and null for an absent one", () => {
    expect(limitValuesOf(hosts("web-1"))).toEqual(["web-1", INCIDENT.id]);
    expect(limitValuesOf(hosts("web-1", "db-1"), { tags: { host: { glob: "db-*" } } })).toEqual([
      "db-1",
      INCIDENT.id,
    ]);
    expect(limitValuesOf(new Map())).toEqual([null, INCIDENT.id]);
  });

  test.each([
    ["incident.id", INCIDENT.id],
    ["incident.status", INCIDENT.status],
    ["incident.severity", INCIDENT.severity],
    ["incident.environment", "staging"],
    ["incident.title", "disk full"],
    ["tags.host", "web-1"],
    ["extra.team", "sre"],
  ] as const)("%s is the value of that field", (field, value) => {
    const incident: Incident = {
      ...INCIDENT,
      environments: ["staging"],
      title: "disk full",
      tags: hosts("web-1"),
      extra: new Map([["team", ["sre"]]]),
    };
    const { actions } = plan(incident, [rule({ match: {}, limits: { per: [field] } })], LIVE);
    expect(actions[0]?.limits?.values).toEqual([value]);
  });

  test("reject an action whose incident has several values", () => {
    expect(planLimited(hosts("web-1", "web-2")).rejected[0]?.rejection).toMatchObject({
      place: "rule restart-web, action open-ticket, limits.per tags.host",
      rule: "several-values",
    });
  });
});

describe("the mode of a rule", () => {
  const OF_ALL = ["live", "manual", "dry-run"] as const;
  const OF_RULE = [...OF_ALL, "off"] as const;

  test.each(OF_RULE.flatMap((mode) => OF_ALL.map((ofAll) => [mode, ofAll] as const)))(
    "%s of a rule and %s of all make the stricter one",
    (mode, ofAll) => {
      const strictness = Math.max(OF_RULE.indexOf(mode), OF_ALL.indexOf(ofAll));
      const stricter = OF_ALL[strictness];
      const expected = stricter === undefined ? undefined : plannedIn("live", stricter);
      expect(plannedIn(mode, ofAll)).toStrictEqual(expected);
    },
  );

  test("decides about the key: a dry run of one rule suppresses no live run of it", () => {
    expect(plannedIn("dry-run", "live")?.key).not.toBe(plannedIn("live", "live")?.key);
    expect(plannedIn("manual", "live")?.key).toBe(plannedIn("live", "live")?.key);
  });

  test("is that of the rule alone", () => {
    const rules = [rule({ name: "dry", mode: "dry-run" }), rule({ name: "live" })];
    const { actions } = plan(INCIDENT, rules, LIVE);
    expect(actions.map(({ rule: name, dryRun }) => [name, dryRun])).toEqual([
      ["dry", true],
      ["live", false],
    ]);
  });
});

describe("templates", () => {
  test("are encoded for the place they stand in", () => {
    const { spec } = http({
      url: "https://t.example/{{incident.tags.service}}?title={{incident.title}}",
      headers: { "x-team": "{{incident.tags.team}}", "x-key": "{{ key }}" },
      body: '{"title":"{{incident.title}}","env":"{{incident.environment}}"}',
    });
    expect(spec?.url).toBe("https://t.example/web?title=Disk%20%22var%22%20full%0Anow");
    expect(spec?.headers["x-team"]).toBe("sre");
    expect(spec?.headers["x-key"]).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.parse(spec?.body ?? "")).toEqual({
      title: INCIDENT.title,
      env: "production",
    });
  });

  test("what a value holds is no template", () => {
    const { spec } = http(
      { body: '"{{incident.title}}"' },
      { ...INCIDENT, title: "{{incident.id}} $& {{key}}" },
    );
    expect(spec?.body).toBe('"{{incident.id}} $& {{key}}"');
  });

  test("arguments get a value as it is", () => {
    const [action] = plan(INCIDENT, [rule({ actions: [COMMAND] })], LIVE).actions;
    expect(action?.spec).toMatchObject({ command: ["/bin/echo", INCIDENT.title] });
  });
});

describe("an action that cannot be filled is rejected, the others are planned", () => {
  test("a field that the incident lacks", () => {
    const actions = [{ ...HTTP, body: '"{{incident.tags.region}}"' }, COMMAND];
    const planned = plan(INCIDENT, [rule({ actions })], LIVE);
    expect(planned.actions.map(({ action }) => action)).toEqual(["run-script"]);
    expect(planned.rejected).toMatchObject([
      {
        rule: "restart-web",
        action: "open-ticket",
        rejection: {
          reason: "rejected",
          rule: "missing",
          detail:
            'rule restart-web, action open-ticket, body is missing: "{{incident.tags.region}}"',
        },
      },
    ]);
  });

  test.each<[string, Partial<HttpRuleAction>, string]>([
    ["a dot segment", { url: "https://t.example/{{incident.tags.path}}/x" }, "unsafe-in-url"],
    [
      "a line break in a header",
      { headers: { "x-title": "{{incident.title}}" } },
      "unsafe-in-header",
    ],
  ])("%s", (_name, change, expected) => {
    expect(http(change).rejected?.rejection.rule).toBe(expected);
  });

  test("a NUL in an argument", () => {
    const incident = { ...INCIDENT, title: "a\0b" };
    const planned = plan(incident, [rule({ actions: [COMMAND] })], LIVE);
    expect(planned.rejected[0]?.rejection).toMatchObject({
      rule: "unsafe-in-command",
      place: "rule restart-web, action run-script, command[1]",
    });
  });
});

test("a rule with a tag of a name that every object has matches only what has that tag", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    const match = { tags: Object.fromEntries([[name, ["x"]]]) };
    expect(plan(INCIDENT, [rule({ match })], LIVE).matched).toEqual([]);
    const tagged = { ...INCIDENT, tags: new Map([[name, ["x"]]]) };
    expect(plan(tagged, [rule({ match })], LIVE).matched).toHaveLength(1);
  }
});
