/** A request for a certificate, before anything is issued. */
export interface IssueRequest {
  readonly type: "registered" | "refreshed";
  readonly principal: string;
  readonly instanceId: string;
  /** True when no certificate has been issued for this instance yet. */
  readonly isFirst: boolean;
}

/** Holds requests. Disposing releases them. */
export interface IssueHold extends AsyncDisposable {
  /** Lets the held requests go on and holds no more. A second call does nothing. */
  release(): void;
}

/** A hold, as the issuer sees it. */
export class RequestHold implements IssueHold {
  readonly #when: (request: IssueRequest) => boolean | Promise<boolean>;
  readonly #onRelease: () => void;
  readonly #released = Promise.withResolvers<void>();
  #isReleased = false;

  constructor(when: (request: IssueRequest) => boolean | Promise<boolean>, onRelease: () => void) {
    this.#when = when;
    this.#onRelease = onRelease;
  }

  /** Resolves when the request may go on. */
  async pass(request: IssueRequest): Promise<void> {
    if (this.#isReleased || !(await this.#when(request))) return;
    await this.#released.promise;
  }

  release(): void {
    this.#isReleased = true;
    this.#onRelease();
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
