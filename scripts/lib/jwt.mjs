// Signs JSON Web Tokens with a shared secret, as the system of a token app does.

import { createHmac } from "node:crypto";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token with these claims, signed with HS256. */
export function signHs256(secret, claims) {
  const signed = `${encoded({ typ: "JWT", alg: "HS256" })}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
