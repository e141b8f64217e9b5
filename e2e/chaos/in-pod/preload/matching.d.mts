import type { VolumeOperation, VolumePurpose, VolumeRule } from "../volume-rule.ts";

export interface MatchedCall {
  readonly operation: VolumeOperation;
  readonly purpose: VolumePurpose;
}

export interface VolumeState {
  readonly rules: readonly VolumeRule[];
  readonly met: ReadonlyMap<number, number>;
}

export function matching(
  state: VolumeState,
  call: MatchedCall,
  phase: VolumeRule["phase"],
): VolumeRule[];
