// Tokens of the users that what is measured knows, and requests with them.

import { generateKeyPairSync, randomUUID, sign as signWith } from "node:crypto";
import { promisify } from "node:util";
import { nowInSeconds, sign } from "../tests/edge/support/client.mjs";

/** What token apps and their peers share for HS256. */
export const SECRET = "a shared secret of thirty-two b!";

/**
 * For how long an isolate tries to share what it reads before it knows that the cache keeps
 * nothing.
 */
export const UNTIL_INERT_MS = 25_000;

export const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
export const bearer = (token) => ({ authorization: `Bearer ${token}` });

const claimsOf = (username, more = {}) => ({
  loginname: username,
  name: "Alice",
  email: "alice@example.com",
  exp: nowInSeconds() + 86_400,
  jti: randomUUID(),
  ...more,
});
export const hs256 = (username, more, secret = SECRET) => sign(secret, claimsOf(username, more));

/**
 * How an issuer of each algorithm makes its keys and signs, by node:crypto, with as many threads as
 * it has.
 */
const signing = promisify(signWith);
const ISSUERS = {
  RS256: {
    keys: ["rsa", { modulusLength: 2048 }],
    sign: (key, text) => signing("sha256", text, key),
  },
  ES256: {
    keys: ["ec", { namedCurve: "P-256" }],
    sign: (key, text) => signing("sha256", text, { key, dsaEncoding: "ieee-p1363" }),
  },
  EdDSA: { keys: ["ed25519"], sign: (key, text) => signing(null, text, key) },
};
export const ALGORITHMS = Object.keys(ISSUERS);

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An issuer with keys of its own: its public key as `pem`, and `token(username)`. */
export function issuer(alg) {
  const { keys, sign } = ISSUERS[alg];
  const { publicKey, privateKey } = generateKeyPairSync(...keys);
  const token = async (username) => {
    const text = `${encoded({ typ: "JWT", alg })}.${encoded(claimsOf(username))}`;
    return `${text}.${(await sign(privateKey, Buffer.from(text))).toString("base64url")}`;
  };
  return { alg, token, pem: publicKey.export({ type: "spki", format: "pem" }) };
}
