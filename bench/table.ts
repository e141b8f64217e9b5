import type { Comparison } from "./compare.ts";
import type { Figure } from "./figure.ts";

const COMPARISON_HEAD = ["what", "first ms", "median ms", "limit ms", "peer", "peer ms", "ratio"];
const FIGURE_HEAD = ["", "what", "measured", "peer", "", "ratio", "limit", ""];

export function table(comparisons: readonly Comparison[]): string {
  return aligned([COMPARISON_HEAD, ...comparisons.map(comparisonRow)]);
}

export function figureTable(figures: readonly Figure[]): string {
  return aligned([FIGURE_HEAD, ...figures.map(figureRow)]);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  );
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function comparisonRow(comparison: Comparison): string[] {
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

function figureRow(figure: Figure): string[] {
  const { group, what, measured, unit, peerName, peer, ratio, limit, reached } = figure;
  return [
    group,
    what,
    `${shown(measured)} ${unit}`,
    peerName,
    peer === null ? "" : `${shown(peer)} ${unit}`,
    ratio === null ? "" : `${shown(ratio)} x`,
    limit,
    reached ? "" : "MISSED",
  ];
}

/** Formats a value with three significant digits. */
function shown(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
