const PURPOSES = {
  automation_action_history: "view",
  imported: "imported",
  journal: "journal",
  limits: "limits",
  snapshot: "snapshot",
  temporary: "temporary",
};
const ATTEMPT_FILES = { claim: "claim", outcome: "outcome", resolution: "resolution" };

/** What a path of the history volume, relative to its root, is for. A directory is for what lies in it. */
export function purposeOf(path) {
  const [first, second, third] = path.split("/");
  if (first === "claims") {
    if (third === undefined) return "claims-directory";
    return ATTEMPT_FILES[third.slice(third.lastIndexOf(".") + 1)] ?? "other";
  }
  if (first === "control") return second === "horizon" ? "horizon" : "control";
  return PURPOSES[first.replace(/\.json$/, "")] ?? "other";
}
