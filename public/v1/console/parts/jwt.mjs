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

/**
 * `{ header, claims }` as JSON texts, and the `times` of the claims; null if the text is no JWT.
 */
export function readToken(text) {
  const [header, claims, signature] = text.split(".");
  if (signature === undefined) return null;
  try {
    const said = parsed(claims);
    return { header: pretty(parsed(header)), claims: pretty(said), times: timesOf(said) };
  } catch {
    return null;
  }
}

const pretty = (value) => JSON.stringify(value, null, 2);

function parsed(part) {
  const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (one) => one.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

/** The last moment that a date can be, as epoch milliseconds. */
const LAST = 8.64e15;

/** When a token says that it begins and ends, as epoch milliseconds; null where it does not. */
function timesOf(claims) {
  const moment = (seconds) =>
    typeof seconds === "number" && Math.abs(seconds * 1000) <= LAST ? seconds * 1000 : null;
  return { begins: moment(claims?.nbf), expires: moment(claims?.exp), hasEnd: claims?.exp != null };
}
