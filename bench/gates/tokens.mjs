// The tokens that every gate is shown, and the keys that it is told: HS256, RS256, ES256.

import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { nowInSeconds } from "../../tests/edge/support/client.mjs";
import { SECRET } from "../tokens.mjs";

export { bearer } from "../tokens.mjs";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const hmac = (secret) => (text) => createHmac("sha256", secret).update(text).digest();
const PAIRS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
};

function pair(alg) {
  const { publicKey, privateKey } = generateKeyPairSync(...PAIRS[alg]);
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
  return {
    key: publicKey.export({ type: "spki", format: "pem" }),
    jwk: { ...publicKey.export({ format: "jwk" }), alg, kid: alg },
    sign: (text) => sign("sha256", Buffer.from(text), key),
  };
}

/** `key` is the shared secret, or an SPKI PEM. */
export const ISSUERS = {
  HS256: {
    key: SECRET,
    jwk: { kty: "oct", k: Buffer.from(SECRET).toString("base64url"), alg: "HS256", kid: "HS256" },
    sign: hmac(SECRET),
  },
  RS256: pair("RS256"),
  ES256: pair("ES256"),
};
const IMPOSTORS = {
  HS256: hmac("another secret"),
  RS256: pair("RS256").sign,
  ES256: pair("ES256").sign,
};

export const ALGORITHMS = Object.keys(ISSUERS);
export const KEYS = Object.fromEntries(ALGORITHMS.map((alg) => [alg, ISSUERS[alg].key]));
export const JWKS = { keys: ALGORITHMS.map((alg) => ISSUERS[alg].jwk) };

const PROFILE = { name: "Alice", email: "alice@example.com" };

/** Postern writes a profile down where it is new, so tokens of many users have none. */
export function token(alg, username, { lifetime = 86_400, forged = false, profile = true } = {}) {
  const claims = {
    ...{ loginname: username, iss: "erp", sub: username, exp: nowInSeconds() + lifetime },
    ...(profile && PROFILE),
  };
  const text = `${encoded({ typ: "JWT", alg, kid: alg })}.${encoded(claims)}`;
  const by = forged ? IMPOSTORS[alg] : ISSUERS[alg].sign;
  return `${text}.${by(text).toString("base64url")}`;
}
