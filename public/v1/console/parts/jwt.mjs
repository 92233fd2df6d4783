// What a JSON Web Token says of itself, read in this page. Nothing of it is proven by that.

const PREFIX = /^(authorization:\s*)?bearer\s+/i;
const QUOTES = /^["']|["']$/g;
const IN_LINK = /[\w-]{8,}\.[\w-]{2,}\.[\w-]+(?=$|&|#)/;

/** A token as it was pasted: without `Bearer`, quotes and white space; of a link, its token. */
export function bare(text) {
  const one = text.trim().replace(PREFIX, "").replace(QUOTES, "").replace(/\s+/g, "");
  const ofLink = /^https?:/i.test(one) ? IN_LINK.exec(one) : null;
  return ofLink?.[0] ?? one;
}

/** `{ header, claims }` as texts of JSON, or null for what is none. */
export function readToken(text) {
  const [header, claims, signature] = text.split(".");
  if (signature === undefined) return null;
  try {
    return { header: pretty(header), claims: pretty(claims) };
  } catch {
    return null;
  }
}

function pretty(part) {
  const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (one) => one.charCodeAt(0));
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  return JSON.stringify(JSON.parse(text), null, 2);
}
