import type { Measure } from "../figure.ts";
import { duplicates } from "./duplicates.ts";
import { judging } from "./judging.ts";
import { kills } from "./kills.ts";
import { limits } from "./limits.ts";
import { growth, recovery, rewriting } from "./size.ts";
import { stopping } from "./stopping.ts";
import { unique } from "./unique.ts";
import { unpacking } from "./unpacking.ts";

/** The measures by the letter that `--only` takes. */
export const MEASURES: ReadonlyMap<string, Measure> = new Map([
  ["a", duplicates],
  ["b", unique],
  ["c", rewriting],
  ["d", recovery],
  ["e", growth],
  ["f", stopping],
  ["g", kills],
  ["h", unpacking],
  ["i", limits],
  ["j", judging],
]);
