import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

const LINE_LENGTH_MAX = 120;

/** A code span of this form names a file or folder of this repository. */
const PATH =
  /^(?:\.ci|bench|config|consumer|deploy_target|docs|e2e|examples|fixtures|kind|simulator)\/[\w./*-]*$/;

const GUIDES = globSync(["*.md", "{docs,examples,consumer,e2e,simulator}/**/*.md"]).toSorted();

/** A guide without its fenced blocks and HTML comments, line by line. */
function proseOf(file: string): string[] {
  let isFenced = false;
  return readFileSync(file, "utf8")
    .replaceAll(/<!--.*?-->/gs, "")
    .split("\n")
    .map((line) => {
      const isFence = /^\s*```/.test(line);
      if (isFence) isFenced = !isFenced;
      return isFence || isFenced ? "" : line;
    });
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

function anchorsOf(file: string): string[] {
  return proseOf(file).flatMap((line) => {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    return heading === undefined ? [] : [anchorOf(heading)];
  });
}

/** The links of a guide that lead nowhere. Links to other hosts are left alone. */
function brokenLinks(file: string): string[] {
  return proseOf(file)
    .flatMap((line) => [...line.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target))
    .filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [path = "", anchor] = target.split("#");
      const linked = path === "" ? file : normalize(join(dirname(file), path));
      if (!existsSync(linked)) return true;
      return anchor !== undefined && !anchorsOf(linked).includes(anchor);
    });
}

function missingPaths(file: string): string[] {
  return proseOf(file)
    .flatMap((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span))
    .filter((span) => PATH.test(span) && globSync(span).length === 0);
}

describe.each(GUIDES)("%s", (file) => {
  test("links to what is there", () => {
    expect(brokenLinks(file)).toEqual([]);
  });

  test("names files that are there", () => {
    expect(missingPaths(file)).toEqual([]);
  });

  test("has no long line outside of tables and code", () => {
    const long = proseOf(file).filter(
      (line) => line.length > LINE_LENGTH_MAX && !line.startsWith("|"),
    );
    expect(long).toEqual([]);
  });
});
