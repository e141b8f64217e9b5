import type { VolumePurpose } from "../volume-rule.ts";

export function purposeOf(path: string): VolumePurpose;
