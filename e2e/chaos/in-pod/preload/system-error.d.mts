export interface FailedCall {
  readonly syscall: string;
  readonly path?: string | undefined;
  readonly dest?: string | undefined;
}

export function systemError(code: string, call: FailedCall): NodeJS.ErrnoException;
