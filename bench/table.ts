import type { Comparison } from "./compare.ts";

const HEAD = ["what", "first ms", "median ms", "limit ms", "peer", "peer ms", "ratio"];

export function table(comparisons: readonly Comparison[]): string {
  const rows = [HEAD, ...comparisons.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function row(comparison: Comparison): string[] {
  const { what, firstMs, medianMs, limitMs, peerName, peerMedianMs } = comparison;
  return [
    what,
    firstMs.toFixed(1),
    medianMs.toFixed(1),
    String(limitMs),
    peerName,
    peerMedianMs.toFixed(1),
    (medianMs / peerMedianMs).toFixed(2),
  ];
}
