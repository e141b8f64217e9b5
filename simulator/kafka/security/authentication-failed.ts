/** `message` is sent to the client; it never says which half of the credentials was wrong. */
export class AuthenticationFailed extends Error {
  override readonly name = "AuthenticationFailed";
}
