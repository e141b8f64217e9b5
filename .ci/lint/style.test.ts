import { RuleTester } from "oxlint/plugins-dev";
import { describe, test } from "vitest";
import style from "./style.ts";

RuleTester.describe = describe;
RuleTester.it = test;

const tester = new RuleTester({ languageOptions: { parserOptions: { lang: "ts" } } });

tester.run("headless-comment", style.rules["headless-comment"], {
  valid: [
    "/** Reads the file. */\nread();",
    "// Offsets of a partition, in the order of their records.\nread();",
    "// The offset is what the next consumer begins with,\n// whether the group is new or not.\nread();",
    "// Reads what is left\n// Of the file.\nread();",
    "// By-products of a run.\nread();",
    "const text = '// Of the app.';",
  ],
  invalid: [
    { code: "/** Of the app. */\nread();", errors: [{ message: /begins with "Of"/ }] },
    { code: "/**\n * Who slept longer.\n */\nread();", errors: [{ message: /"Who"/ }] },
    { code: "read(); // Whether it is there.", errors: [{ message: /"Whether"/ }] },
    {
      code: "read(); // It reads.\n// For the next one.\nread();",
      errors: [{ message: /"For"/, line: 2 }],
    },
    {
      code: "// First.\n\n// Without a lock.\nread();",
      errors: [{ message: /"Without"/, line: 3 }],
    },
  ],
});

tester.run("line-length", style.rules["line-length"], {
  valid: [
    `// ${"x".repeat(117)}`,
    `// https://example.test/${"x".repeat(120)}`,
    `const pattern =\n  /^${"x".repeat(120)}$/;`,
  ],
  invalid: [
    { code: `// ${"x".repeat(118)}`, errors: [{ message: /has 121 characters/, line: 1 }] },
    { code: `const text = "${"x".repeat(120)}";`, errors: [{ message: /has 136 characters/ }] },
    { code: `read();\n/**\n * ${"x y ".repeat(40)}\n */`, errors: [{ message: /has/, line: 3 }] },
  ],
});
