import { findAbandoned, removeDirectory } from "./owned-directory.ts";

/** Removes what runs left behind whose process is gone; gives the directories. */
export async function clean(): Promise<string[]> {
  const abandoned = await findAbandoned();
  for (const directory of abandoned) await removeDirectory(directory);
  return abandoned;
}
