import { Writer } from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestContext } from "vitest";
import { metadata } from "#simulator/kafka/apis/03-metadata.ts";
import { describeGroups } from "#simulator/kafka/apis/15-describe-groups.ts";
import { saslHandshake } from "#simulator/kafka/apis/17-sasl-handshake.ts";
import { saslAuthenticate } from "#simulator/kafka/apis/36-sasl-authenticate.ts";
import { errorName } from "./test-bed.ts";
import { ScramClient } from "./testing/scram-client.ts";
import type { ScramMechanism } from "./testing/scram-client.ts";
import { openBrokerUnderTest } from "./broker-under-test.ts";
import type { SaslAccess, BrokerUnderTest } from "./broker-under-test.ts";
import { apiVersions } from "./testing/versions.ts";
import { WireConnection } from "./wire-connection.ts";

let broker: BrokerUnderTest;
const opened: WireConnection[] = [];
beforeAll(async () => {
  broker = await openBrokerUnderTest();
});
afterAll(async () => {
  for (const connection of opened) connection[Symbol.dispose]();
  await broker[Symbol.asyncDispose]();
});

interface Login {
  readonly connection: WireConnection;
  readonly user: string;
  readonly password: string;
}

/** Opens a connection that has sent nothing yet, and names a user that the broker knows. */
async function dial(context: TestContext): Promise<Login> {
  const { sasl } = broker;
  if (sasl === undefined) return context.skip("no SASL listener given");
  const connection = await WireConnection.open(sasl.address);
  opened.push(connection);
  return { connection, ...userOf(sasl) };
}

function userOf({ users }: SaslAccess) {
  const [[user, password] = ["", ""]] = Object.entries(users);
  return { user, password };
}

/** Returns false when the listener does not offer the mechanism. */
async function begin({ connection }: Login, mechanism: string, version = 1): Promise<boolean> {
  const answer = await connection.call(saslHandshake, version, { mechanism });
  return answer.errorCode === 0;
}

async function authenticate({ connection }: Login, authBytes: Buffer, version = 2) {
  const answer = await connection.call(saslAuthenticate, version, { authBytes });
  return { ...answer, error: errorName(answer) };
}

const plainToken = (user: string, password: string) => Buffer.from(`\0${user}\0${password}`);

async function isServed({ connection }: Login): Promise<boolean> {
  const { brokers } = await connection.call(metadata, 9, { topics: [] });
  return brokers.length > 0;
}

const NOT_OFFERED = "not offered";

describe.each<ScramMechanism>(["SCRAM-SHA-256", "SCRAM-SHA-512"])("%s", (mechanism) => {
  test("lets the user in, and proves that it knows the password", async (context) => {
    const login = await dial(context);
    context.skip(!(await begin(login, mechanism)), NOT_OFFERED);
    const client = new ScramClient(mechanism, login.user, login.password);
    const first = await authenticate(login, client.first());
    expect(first).toMatchObject({ error: "NONE", errorMessage: "", sessionLifetimeMs: 0n });
    const final = await authenticate(login, client.final(first.authBytes));
    expect(final.error).toBe("NONE");
    expect(client.trusts(final.authBytes)).toBe(true);
    expect(await isServed(login)).toBe(true);
  });

  test("refuses a wrong password in the second step, and closes", async (context) => {
    const login = await dial(context);
    context.skip(!(await begin(login, mechanism)), NOT_OFFERED);
    const client = new ScramClient(mechanism, login.user, "wrong");
    const first = await authenticate(login, client.first());
    expect(first.error).toBe("NONE");
    const final = await authenticate(login, client.final(first.authBytes));
    expect(final.error).toBe("SASL_AUTHENTICATION_FAILED");
    expect(final.errorMessage).toContain(`with SASL mechanism ${mechanism}`);
    expect(await login.connection.receive()).toBeUndefined();
  });

  test("refuses an unknown user in the first step, and closes", async (context) => {
    const login = await dial(context);
    context.skip(!(await begin(login, mechanism)), NOT_OFFERED);
    const client = new ScramClient(mechanism, "nobody", "x");
    const first = await authenticate(login, client.first());
    expect(first.error).toBe("SASL_AUTHENTICATION_FAILED");
    expect(await login.connection.receive()).toBeUndefined();
  });

  test("refuses what is no message of SCRAM", async (context) => {
    const login = await dial(context);
    context.skip(!(await begin(login, mechanism)), NOT_OFFERED);
    const answer = await authenticate(login, Buffer.from("hello"));
    expect(answer.error).toBe("SASL_AUTHENTICATION_FAILED");
    expect(await login.connection.receive()).toBeUndefined();
  });
});

describe("PLAIN", () => {
  test("lets the user in", async (context) => {
    const login = await dial(context);
    context.skip(!(await begin(login, "PLAIN")), NOT_OFFERED);
    const answer = await authenticate(login, plainToken(login.user, login.password));
    expect(answer).toMatchObject({ error: "NONE", errorMessage: "" });
    expect(await isServed(login)).toBe(true);
  });

  test.for(["wrong", ""])("refuses the password %j, and closes", async (password, context) => {
    const login = await dial(context);
    context.skip(!(await begin(login, "PLAIN")), NOT_OFFERED);
    const answer = await authenticate(login, plainToken(login.user, password));
    expect(answer.error).toBe("SASL_AUTHENTICATION_FAILED");
    expect(await login.connection.receive()).toBeUndefined();
  });
});

describe("before anybody is known", () => {
  test("ApiVersions is answered, and after it the handshake", async (context) => {
    const login = await dial(context);
    const software = { clientSoftwareName: "kit", clientSoftwareVersion: "1" };
    const versions = await login.connection.call(apiVersions, 3, software);
    expect(versions.errorCode).toBe(0);
    expect(await begin(login, "SCRAM-SHA-512")).toBe(true);
  });

  test("any other request closes the connection", async (context) => {
    const login = await dial(context);
    login.connection.send(metadata, 9, { topics: [] });
    expect(await login.connection.receive()).toBeUndefined();
  });

  test("a request in the middle of the exchange is refused, and closes", async (context) => {
    const login = await dial(context);
    await begin(login, "SCRAM-SHA-512");
    const groups = ["g"];
    const answer = await login.connection.call(describeGroups, 5, { groups });
    expect(errorName(answer.groups[0])).toBe("ILLEGAL_SASL_STATE");
    expect(await login.connection.receive()).toBeUndefined();
  });

  test("an unknown mechanism is refused with those that are offered, and closes", async (context) => {
    const login = await dial(context);
    const answer = await login.connection.call(saslHandshake, 1, { mechanism: "MAGIC" });
    expect(errorName(answer)).toBe("UNSUPPORTED_SASL_MECHANISM");
    expect(answer.mechanisms).toContain("SCRAM-SHA-512");
    expect(await login.connection.receive()).toBeUndefined();
  });

  test("a token without a handshake is refused", async (context) => {
    const login = await dial(context);
    const authBytes = plainToken(login.user, login.password);
    login.connection.send(saslAuthenticate, 2, { authBytes });
    expect(await login.connection.receive()).toBeUndefined();
  });

  test("a token of more than sasl.server.max.receive.size closes the connection", async (context) => {
    const login = await dial(context);
    await begin(login, "SCRAM-SHA-512");
    login.connection.sendBytes(Buffer.from([0, 8, 0, 1]));
    expect(await login.connection.receive()).toBeUndefined();
  });
});

test("after SaslHandshake version 0 tokens come without a header", async (context) => {
  const login = await dial(context);
  context.skip(!(await begin(login, "SCRAM-SHA-512", 0)), NOT_OFFERED);
  const client = new ScramClient("SCRAM-SHA-512", login.user, login.password);
  const exchange = async (token: Buffer): Promise<Buffer> => {
    login.connection.sendBytes(Writer.create().append(token).prependLength().buffer);
    return (await login.connection.receive()) ?? Buffer.from("closed");
  };
  const final = await exchange(client.final(await exchange(client.first())));
  expect(client.trusts(final)).toBe(true);
  expect(await isServed(login)).toBe(true);
});

test("a connection that needs no authentication is told so when it tries", async () => {
  const connection = await WireConnection.open(broker.plain);
  opened.push(connection);
  const handshake = await connection.call(saslHandshake, 1, { mechanism: "PLAIN" });
  expect(errorName(handshake)).toBe("ILLEGAL_SASL_STATE");
  const answer = await connection.call(saslAuthenticate, 2, { authBytes: Buffer.from("x") });
  expect(errorName(answer)).toBe("ILLEGAL_SASL_STATE");
});
