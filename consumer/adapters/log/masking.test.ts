import { describe, expect, test } from "vitest";

import { maskCredentials } from "./masking.ts";

describe("what looks like a credential", () => {
  test.each([
    ["x-api-key: hunter2"],
    ["X-API-Key=hunter2&more=1"],
    ['{"apiKey":"hunter2","id":7}'],
    ['{"api_key": "hun\\"ter2"}'],
    ['{"password":"hunter2'],
    ['{"tokens":["hunter2","hunter2"],"id":7}'],
    ['{"credentials":{"user":"hunter2"},"id":7}'],
    ['{\\"client_secret\\":\\"hunter2\\"}'],
    ['"{\\\\\\"token\\\\\\": \\\\\\"hunter2\\\\\\"}"'],
    ["{'passwd': 'hunter2 with space'}"],
    ["DB_PASSWORD=hunter2"],
    ["AWS_SECRET_ACCESS_KEY=hunter2"],
    ["https://x.test/a?access_token=hunter2&page=2"],
    ["https://x.test/a?sig=hunter2"],
    ["next: /a%3Ftoken%3Dhunter2"],
    ["postgres://me:hunter2@db.test/x"],
    ["https://hunter2@x.test/"],
    ["Authorization: Bearer hunter2"],
    ["authorization: Basic aHVudGVyMg=="],
    ["got Bearer hunter2 and refused"],
    ["basic hunter2 was wrong"],
    ["Cookie: a=hunter2; b=hunter2; c=hunter2"],
    ["set-cookie: sid=hunter2; Path=/; HttpOnly"],
    ["<password>hunter2</password>"],
    ['<Token kind="x">hunter2'],
    ["-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----"],
    ["-----BEGIN PRIVATE KEY-----\nhunter2"],
    ["it was eyJhbGciOiJodW50ZXIyIn0.hunter2.hunter2"],
    ["it was ghp_hunter2hunter2hunter2"],
    ["it was AKIAHUNTER2HUNTER2X"],
    ["it was xoxb-hunter2-hunter2-hunter2"],
    ["it was hunter2Kd83Jf9sLq0Zx7Vb4Nm1"],
  ])("is masked in %s", (text) => {
    const masked = maskCredentials(text);
    expect(masked).not.toMatch(/hunter2|HUNTER2|aHVudGVyMg/);
    expect(masked).toContain("[masked]");
  });

  test.each([
    ["HTTP 409: the service is restarting already"],
    ['{"error":"conflict","incident":"6f8a2c0f5b1d4e3a9c7b8d6e","code":409}'],
    ["trace 4bf92f3577b34da6a3ce929d0e0e4736 of 2026-11-28T22:50:14.848Z"],
    ["request 3f2a8c1e-9d4b-4f6a-8c2e-1b5d7f9a0c3e at /api/v2/Services/WebServer/Restart/2024"],
    ["unauthorized: key not found; see https://docs.example.com/errors#E1007"],
    ["see https://x.test/a?page=2&size=10"],
    ["IDEMPOTENCY_KEY=0123abcd routing_key=hosts primary-key: 7"],
  ])("is nothing of %s", (text) => {
    expect(maskCredentials(text)).toBe(text);
  });

  test("leaves the name, and what stands beside it", () => {
    expect(maskCredentials('{"error":"bad","token":"hunter2","id":7}')).toBe(
      '{"error":"bad","token":"[masked]","id":7}',
    );
    expect(maskCredentials("a=1&api_key=hunter2&b=2")).toBe("a=1&api_key=[masked]&b=2");
  });
});

describe("our own secret", () => {
  const secret = 'correct horse/"battery"+ünd';
  const bytes = Buffer.from(secret);
  test.each([
    ["as it is", secret],
    ["in JSON", JSON.stringify({ echo: secret })],
    ["in a URL", encodeURIComponent(secret)],
    [
      "in a URL, lower case",
      encodeURIComponent(secret).replaceAll(/%../g, (code) => code.toLowerCase()),
    ],
    ["in a form", new URLSearchParams({ a: secret }).toString()],
    ["in hexadecimal", bytes.toString("hex")],
    ["in base64", bytes.toString("base64")],
    ["in base64url", bytes.toString("base64url")],
    ["as a part of base64, one byte in", Buffer.from(`a${secret}b`).toString("base64")],
    ["as a part of base64, two bytes in", Buffer.from(`me${secret}!!`).toString("base64")],
  ])("is masked %s", (_how, text) => {
    const masked = maskCredentials(`it was ${text}`, [secret]);
    expect(masked).toContain("[masked]");
    const left = masked.replaceAll("[masked]", "");
    expect(left.length).toBeLessThan(24);
    expect(left).not.toMatch(/horse|battery|686f727365|aG9yc2/);
  });

  test("is masked with its scheme and without", () => {
    expect(maskCredentials("x Zebra hunter2 y hunter2", ["Zebra hunter2"])).toBe(
      "x [masked] y [masked]",
    );
  });
});

test("a long text costs little, whatever it holds", () => {
  const texts = [
    "a".repeat(16_384),
    "token:".repeat(2700),
    "://".repeat(5400),
    "\\".repeat(16_384),
    '"'.repeat(16_384),
    "<token ".repeat(2300),
    "a-".repeat(8192),
    "secret".repeat(2700),
    "eyJ.".repeat(4000),
    "-----BEGIN PRIVATE KEY-----".repeat(600),
  ];
  for (const text of texts) {
    const startMs = performance.now();
    maskCredentials(text, ["correct horse"]);
    expect(performance.now() - startMs).toBeLessThan(1000);
  }
});
