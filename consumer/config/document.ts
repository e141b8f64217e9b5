import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
} from "yaml";
import type { Alias, Document, Node, YAMLError } from "yaml";

import { codeFrame } from "./messages/code-frame.ts";
import { messageOf } from "#consumer/errors.ts";

export interface ConfigDocument {
  /** Plain objects, lists, texts, numbers, booleans and null. */
  readonly value: unknown;
  /** Returns the place of the deepest node on the path, such as "line 3". A missing node is reported at its parent. */
  lineOf(path: readonly PropertyKey[]): string;
}

/** Limits of aliases and depth: far above what any configuration has, and far below what makes the process slow. */
const ALIASES_MAX = 1000;
const ALIASED_VALUES_MAX = 100_000;
const DEPTH_MAX = 64;
/** The number of faults that are shown with their line: each takes time in proportion to it. */
const FRAMES_MAX = 100;
const TOO_DEEP = `must not be nested deeper than ${String(DEPTH_MAX)}`;
/** Tags of the core schema, which say what a value is anyway. */
const TAGS = /^tag:yaml\.org,2002:(?:str|int|float|bool|null|map|seq)$/;

interface Fault {
  /** Where it is in the text, in characters. */
  readonly offset: number;
  readonly reason: string;
}

/**
 * Reads a text as one YAML 1.2 document. Returns it, or every fault with its line, the name that it is about, and that
 * line of the file with a caret. An error of the syntax leads to others in the same line, which are left out.
 */
export function readDocument(
  text: string,
): { readonly document: ConfigDocument } | { readonly faults: readonly string[] } {
  const lines = new LineCounter();
  // An error at the end of the file is shown in its last line, and not after it.
  const end = text.trimEnd().length;
  const describe = (faults: readonly Fault[]): string[] => {
    const told = new Map<string, { offset: number; line: number }>();
    for (const fault of faults) {
      const offset = Math.min(fault.offset, end);
      const { line } = lines.linePos(offset);
      const what = `line ${String(line)}: ${fault.reason}`;
      if (!told.has(what)) told.set(what, { offset, line });
    }
    return [...told].map(([what, { offset, line }], index) => {
      const frame = index < FRAMES_MAX ? codeFrame(text, offset, line) : undefined;
      return frame === undefined ? what : `${what}\n${frame}`;
    });
  };
  try {
    const parsed = parseDocument(text, {
      lineCounter: lines,
      logLevel: "error",
      uniqueKeys: false,
    });
    const found = [...parsed.errors, ...parsed.warnings];
    // All other errors are consequences of an exhausted stack.
    const exhausted = found.filter(({ code }) => code === "RESOURCE_EXHAUSTION");
    const broken = exhausted.length > 0 ? exhausted : found;
    const faults =
      broken.length > 0 ? pointedOut(firstOfEachLine(broken, lines), parsed) : faultsOf(parsed);
    if (faults.length > 0) return { faults: describe(faults) };
    // The aliases were counted above by what they really add.
    const value: unknown = parsed.toJS({ maxAliasCount: -1 });
    return { document: { value, lineOf: (path) => lineOf(parsed, lines, path) } };
  } catch (error) {
    return { faults: [`line 1: cannot be read as YAML: ${messageOf(error)}`] };
  }
}

function firstOfEachLine(errors: readonly YAMLError[], lines: LineCounter): readonly YAMLError[] {
  const seen = new Set<number>();
  return errors.filter(({ pos: [offset] }) => {
    const { line } = lines.linePos(offset);
    return !seen.has(line) && seen.add(line);
  });
}

/** Points at the beginning of what is not closed: the parser notices it at its end, which may be that of the file. */
function pointedOut(errors: readonly YAMLError[], document: Document.Parsed): Fault[] {
  const delimited: NonNullable<Node["range"]>[] = [];
  visit(document, {
    Scalar(_key, { type, range }) {
      if (range && type?.startsWith("QUOTE") === true) delimited.push(range);
    },
    Collection(_key, { flow, range }) {
      if (range && flow === true) delimited.push(range);
    },
  });
  return errors.map((error, index) => {
    const [end] = error.pos;
    const isOpen = error.code === "MISSING_CHAR" || error.message.includes("end with a ");
    const opened =
      isOpen && index < FRAMES_MAX
        ? delimited.findLast(([start, , last]) => start < end && last >= end)
        : undefined;
    return { offset: opened?.[0] ?? end, reason: reasonOf(error) };
  });
}

function reasonOf({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return 'must be one document: "---" begins another one';
  if (code === "RESOURCE_EXHAUSTION") return TOO_DEEP;
  return message.replace(/ at line \d+, column \d+:[^]*$/, "");
}

/** Returns the faults that the parser accepts, although no configuration needs them. */
function faultsOf(document: Document.Parsed): Fault[] {
  const faults: Fault[] = [];
  const refuse = (node: Pick<Node, "range">, reason: string): void => {
    faults.push({ offset: node.range?.[0] ?? 0, reason });
  };
  const { version } = document.directives.yaml;
  if (version !== "1.2") {
    faults.push({ offset: 0, reason: `must be YAML 1.2, and %YAML says ${version}` });
  }
  const aliases = createAliases();
  const keys = new Map<unknown, Set<string>>();
  visit(document, {
    Node(_key, node, path) {
      if (path.length > 2 * DEPTH_MAX) {
        refuse(node, TOO_DEEP);
        return visit.BREAK;
      }
      if (isAlias(node)) {
        const fault = aliases.resolve(node, path);
        if (fault !== undefined) refuse(node, fault);
        return undefined;
      }
      if (node.tag !== undefined && !TAGS.test(node.tag)) refuse(node, `has the tag ${node.tag}`);
      aliases.declare(node);
      return undefined;
    },
    Pair(_key, { key }, path) {
      const owner = path.findLast(isMap);
      const place = isNode(key) ? key : (owner ?? document);
      if (!isScalar<string | number | boolean | bigint | null>(key) || key.value === null) {
        refuse(place, "must have a text as key");
        return;
      }
      const name = String(key.value);
      if (name === "<<") refuse(place, 'must not merge by "<<": write the keys out');
      // The check of the parser takes minutes for a mapping of 100,000 keys.
      const names = keys.get(owner) ?? new Set();
      if (names.has(name)) refuse(place, `the key "${name}" appears twice`);
      keys.set(owner, names.add(name));
    },
  });
  return faults;
}

/** Follows the aliases of a document in the order in which they stand, and counts what they add. */
function createAliases() {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  const sizes = new Map<Node, number>();
  let added = 0;

  /** Returns the number of values of a node, with those that its aliases stand for. */
  function sizeOf(node: unknown): number {
    if (isAlias(node)) return sizeOf(targets.get(node));
    if (isPair(node)) return sizeOf(node.value);
    if (!isCollection(node)) return 1;
    const size = sizes.get(node) ?? 1 + node.items.map(sizeOf).reduce((sum, one) => sum + one, 0);
    sizes.set(node, size);
    return size;
  }

  return {
    declare(node: Node & { anchor?: string }): void {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
    /** Returns the fault of an alias, or undefined. */
    resolve(alias: Alias, path: readonly unknown[]): string | undefined {
      const { source } = alias;
      const target = anchors.get(source);
      if (target === undefined) {
        return `unknown alias *${source}: the anchor &${source} must stand before it`;
      }
      if (path.includes(target)) return `the alias *${source} stands within its own anchor`;
      targets.set(alias, target);
      if (targets.size > ALIASES_MAX) {
        return `the alias *${source} is one of more than ${String(ALIASES_MAX)}`;
      }
      const before = added;
      added += sizeOf(target);
      return added > ALIASED_VALUES_MAX && before <= ALIASED_VALUES_MAX
        ? `the alias *${source} makes the document larger than its aliases may: ${String(ALIASED_VALUES_MAX)} values`
        : undefined;
    },
  };
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find((item) => String(item.key) === String(last))
      : undefined;
    const node: unknown = pair?.key ?? document.getIn(path.slice(0, length), true);
    const start = isNode(node) ? node.range?.[0] : undefined;
    if (start !== undefined) return `line ${String(lines.linePos(start).line)}`;
  }
  return "line 1";
}
