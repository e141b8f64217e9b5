/**
 * The authentication failed. The message is sent to the client and never says which half of the
 * credentials was wrong.
 */
export class AuthenticationFailed extends Error {
  override readonly name = "AuthenticationFailed";
}
