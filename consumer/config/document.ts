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
const TOO_DEEP = `must not be nested deeper than ${String(DEPTH_MAX)}`;
/** Tags of the core schema, which say what a value is anyway. */
const TAGS = /^tag:yaml\.org,2002:(?:str|int|float|bool|null|map|seq)$/;

/** Reads a text as one YAML 1.2 document. Returns it, or every fault with its line and the name that it is about. */
export function readDocument(
  text: string,
): { readonly document: ConfigDocument } | { readonly faults: readonly string[] } {
  const lines = new LineCounter();
  const at = (offset: number): string => `line ${String(lines.linePos(offset).line)}`;
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
      broken.length > 0
        ? broken.map((fault) => `${at(fault.pos[0])}: ${reasonOf(fault)}`)
        : faultsOf(parsed, at);
    if (faults.length > 0) return { faults: [...new Set(faults)] };
    // The aliases were counted above by what they really add.
    const value: unknown = parsed.toJS({ maxAliasCount: -1 });
    return { document: { value, lineOf: (path) => lineOf(parsed, lines, path) } };
  } catch (error) {
    return { faults: [`line 1: cannot be read as YAML: ${messageOf(error)}`] };
  }
}

function reasonOf({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return 'must be one document: "---" begins another one';
  if (code === "RESOURCE_EXHAUSTION") return TOO_DEEP;
  return message.replace(/ at line \d+, column \d+:[^]*$/, "");
}

/** Returns the faults that the parser accepts, although no configuration needs them. */
function faultsOf(document: Document.Parsed, at: (offset: number) => string): string[] {
  const faults: string[] = [];
  const refuse = (node: Pick<Node, "range">, fault: string): void => {
    faults.push(`${at(node.range?.[0] ?? 0)}: ${fault}`);
  };
  const { version } = document.directives.yaml;
  if (version !== "1.2") faults.push(`line 1: must be YAML 1.2, and %YAML says ${version}`);
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
