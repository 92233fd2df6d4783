// How an application behind Postern's gateway recognizes Postern's requests, with jose.
// docs/gateway.md describes the assertion.

import { createRemoteJWKSet, jwtVerify } from "jose";

/**
 * Makes a function that takes the header `X-Postern-Assertion` and returns its claims. The function
 * throws if the header is missing, or if Postern did not sign it for this application.
 *
 * `postern` is the public origin at which clients reach Postern, and `application` is Postern's
 * ORIGIN_URL. `secret` is ORIGIN_ASSERTION_KEY if that is a shared secret. Leave it out if the key
 * is a JWK; then the public key is fetched.
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
