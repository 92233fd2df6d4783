// How an application behind Postern's gateway tells Postern's requests from others, with jose.
// docs/gateway.md says what is in the assertion.

import { createRemoteJWKSet, jwtVerify } from "jose";

/**
 * Makes a function that takes the header `X-Postern-Assertion` and answers its claims. It throws
 * where the header is missing, or was not signed by Postern for this application.
 *
 * `postern` is the public origin at which clients reach Postern, and `application` what Postern has
 * as ORIGIN_URL. `secret` is ORIGIN_ASSERTION_KEY where that is a shared secret; leave it out where
 * it is a JWK, and the public key is fetched.
 */
export function assertionsFrom({ postern, application, secret }) {
  const key = secret
    ? new TextEncoder().encode(secret)
    : createRemoteJWKSet(new URL("/.well-known/jwks.json", postern));
  const expected = {
    issuer: postern,
    audience: application,
    typ: "postern+jwt",
    algorithms: [secret ? "HS256" : "ES256"],
    clockTolerance: 5,
  };
  return async (header) => (await jwtVerify(header ?? "", key, expected)).payload;
}
