/** The server's side of one authentication. */
export interface SaslExchange {
  /** Answers the client's next token. Throws AuthenticationFailed. */
  next(token: Buffer): Promise<SaslStep>;
}

export interface SaslStep {
  readonly reply: Buffer;
  /** Set when the exchange is complete. */
  readonly user?: string;
}
