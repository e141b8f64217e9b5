import type { AttemptFile, HistoryFiles } from "./history-files.ts";

/**
 * Checks that no claim or outcome changed or disappeared between two readings of a volume. Returns
 * one finding per violation.
 */
export function checkWriteOnce(before: HistoryFiles, after: HistoryFiles): string[] {
  const later = new Map([...after.claims, ...after.outcomes].map((file) => [file.path, file]));
  return [...before.claims, ...before.outcomes].flatMap((file) =>
    difference(file, later.get(file.path)),
  );
}

function difference(file: AttemptFile, later: AttemptFile | undefined): string[] {
  if (later === undefined) return [`${file.path} vanished`];
  const was = JSON.stringify(file.content);
  const is = JSON.stringify(later.content);
  return was === is ? [] : [`${file.path} changed from ${was} to ${is}`];
}
