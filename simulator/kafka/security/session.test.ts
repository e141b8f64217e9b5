import { describe, expect, test } from "vitest";
import { AuthenticationFailed } from "./authentication-failed.ts";
import { ANONYMOUS, Session } from "./session.ts";
import { Users } from "./users.ts";

const users = new Users({ u: "p", v: "q" });
const plain = (user: string, password: string) => Buffer.from(`\0${user}\0${password}`);

test("without a mechanism, every client is authenticated as what the transport proved", () => {
  const session = new Session(users, [], "User:certified");
  expect(session.isAuthenticated(0)).toBe(true);
  expect(session.principal).toBe("User:certified");
});

test("an authentication is valid until its end, and can be renewed", async () => {
  const session = new Session(users, ["PLAIN"], ANONYMOUS);
  expect(session.isAuthenticated(0)).toBe(false);
  session.begin("PLAIN", false);
  await session.next(plain("u", "p"), 50);
  expect(session.principal).toBe("User:u");
  expect([49, 50].map((nowMs) => session.isAuthenticated(nowMs))).toEqual([true, false]);
  session.begin("PLAIN", false);
  await session.next(plain("u", "p"), 100);
  expect(session.isAuthenticated(99)).toBe(true);
});

test("authenticating again cannot change the principal", async () => {
  const session = new Session(users, ["PLAIN"], ANONYMOUS);
  session.begin("PLAIN", false);
  await session.next(plain("u", "p"), 50);
  session.begin("PLAIN", false);
  await expect(session.next(plain("v", "q"), 50)).rejects.toThrow(/change principals/);
  expect(session.principal).toBe("User:u");
});

describe("PLAIN refuses", () => {
  test.each([
    ["a wrong password", plain("u", "x")],
    ["an unknown user", plain("x", "p")],
    ["another authorization id", Buffer.from("x\0u\0p")],
    ["too few parts", Buffer.from("u\0p")],
    ["too many parts", Buffer.from("\0u\0p\0")],
    ["nothing", Buffer.alloc(0)],
  ])("%s", async (_name, token) => {
    const session = new Session(users, ["PLAIN"], ANONYMOUS);
    session.begin("PLAIN", false);
    await expect(session.next(token, 50)).rejects.toThrow(AuthenticationFailed);
    expect(session.isAuthenticated(0)).toBe(false);
  });
});

describe("SCRAM refuses", () => {
  test.each([
    ["a first message that is none", "x"],
    ["channel binding", "p=tls-unique,,n=u,r=nonce"],
    ["an unknown user", "n,,n=x,r=nonce"],
  ])("%s", async (_name, first) => {
    const session = new Session(users, ["SCRAM-SHA-256"], ANONYMOUS);
    session.begin("SCRAM-SHA-256", false);
    await expect(session.next(Buffer.from(first), 50)).rejects.toThrow(AuthenticationFailed);
  });

  test.each([
    ["another nonce", () => "c=biws,r=other,p=AAAA"],
    ["another binding", (nonce: string) => `c=eSws,r=${nonce},p=AAAA`],
    ["a proof of the wrong length", (nonce: string) => `c=biws,r=${nonce},p=AAAA`],
    [
      "a wrong proof",
      (nonce: string) => `c=biws,r=${nonce},p=${Buffer.alloc(32).toString("base64")}`,
    ],
  ])("%s", async (_name, final) => {
    const session = new Session(users, ["SCRAM-SHA-256"], ANONYMOUS);
    session.begin("SCRAM-SHA-256", false);
    const { reply } = await session.next(Buffer.from("n,,n=u,r=nonce"), 50);
    const nonce = /^r=([^,]+)/.exec(String(reply))?.[1] ?? "";
    expect(nonce).toMatch(/^nonce.+/);
    await expect(session.next(Buffer.from(final(nonce)), 50)).rejects.toThrow(AuthenticationFailed);
  });
});
