// In what the proxies differ, and why.

import { POSTERN_HOST } from "../support/neighbours.mjs";

/** What holds where nothing else is said. */
const MOST = {
  /** The path at which Postern is asked a question about a request for `path`. */
  asked: (question) => `/v1/forward-auth/${question}/redirect`,
  /** Whether the client's URL follows that path, and is in no header. */
  appendsUrl: false,
  /** The method by which Postern is asked about a client's method. */
  askedMethod: () => "GET",
  /** What the proxy itself tells Postern, beside the headers of its client. */
  addedHeaders: [
    ...["host", "x-forwarded-for", "x-forwarded-host"],
    ...["x-forwarded-method", "x-forwarded-proto", "x-forwarded-uri"],
  ],
  /** Whether Postern gets the client's other headers, too. */
  passesAll: false,
  /** What Postern is called in `Host`, and in TLS. */
  host: () => POSTERN_HOST,
  serverName: POSTERN_HOST,
  /** Whether the example speaks HTTP/2 to browsers. */
  http2: true,
  /** How many connections to Postern five requests in a row need at most. */
  connections: 1,
  /** The status of the answer to a page that is opened by a token in its URL. */
  page: 303,
  /** The status where Postern does not answer, or nobody trusts who does. */
  failed: 502,
  /** The client's status, where Postern's is no yes. */
  other: (status) => status,
  /** Which other statuses than 200 are a yes. Postern answers none of them. */
  takes: [201, 204, 206],
  /** What arrives of a URL with a token in its query. */
  url: (_sent, without) => without,
  /** The status of a request for a path, and what arrives of the path. */
  path: (path) => [200, path],
  /** The answer to a client without a credential that names forwarded URLs as hop by hop. */
  nominated: 401,
  /** Whether the application gets a claim of the client, as the gateway passes claims on. */
  keepsClaims: false,
  /** Whether the application gets Postern's cookie. */
  keepsCookie: false,
};

/** A URL without double slashes and dots in its path, whose escapes are read by `decoded`. */
function cleaned(url, decoded = (escaped) => escaped) {
  const [path, ...query] = url.split("?");
  const plain = path.replaceAll(/%[\da-f]{2}/gi, decoded).replaceAll(/\/+/g, "/");
  return [new URL(`http://app${plain}`).pathname, ...query].join("?");
}

/** An escape, or the character where nobody needs one for it. */
function needed(escaped) {
  const character = String.fromCharCode(parseInt(escaped.slice(1), 16));
  return /[\w.~-]/.test(character) ? character : escaped;
}

const ofEnvoy = (url) => cleaned(url, needed);
const ofTraefik = (url) => cleaned(url, (escaped) => needed(escaped.toUpperCase()));
const hasEscapedSlash = (path) => /%2f/i.test(path);

const CADDY = {
  ...MOST,
  // forward_auth passes on all headers of the client.
  passesAll: true,
  // What takes the token out also writes the path anew, without double slashes and dots.
  url: (_sent, without) => cleaned(without),
};

export const FACTS = {
  nginx: {
    ...MOST,
    // auth_request knows 2xx, 401 and 403, and makes a 500 of everything else. So nginx asks for no
    // redirects.
    asked: (question) => `/v1/forward-auth/${question}`,
    page: 200,
    // It does where its configuration says so.
    http2: false,
    // It removes the headers that are named to it, and no others that begin like them.
    keepsClaims: true,
    failed: 500,
    other: (status) => ([401, 403].includes(status) ? status : 500),
  },
  caddy: CADDY,
  "the system's caddy": CADDY,
  traefik: {
    ...MOST,
    failed: 500,
    // It is given an address in place of the name, and there is nothing by which to say the name.
    host: (address) => address,
    serverName: false,
    addedHeaders: ["accept-encoding", ...MOST.addedHeaders, "user-agent"].sort(),
    // Its routers would not see a slash behind the escape, so it takes none. No middleware changes
    // a query or single cookies.
    url: (sent) => ofTraefik(sent),
    keepsCookie: true,
    path: (path) => (hasEscapedSlash(path) ? [400, undefined] : [200, ofTraefik(path)]),
  },
  haproxy: {
    ...MOST,
    addedHeaders: [...MOST.addedHeaders, "user-agent"].sort(),
    failed: 503,
    takes: [],
  },
  envoy: {
    ...MOST,
    // ext_authz appends the client's URL to the path that it asks at, and asks by the client's
    // method.
    appendsUrl: true,
    askedMethod: (method) => method,
    asked: (question, path) => `/v1/forward-auth/${question}/redirect/-${path}`,
    addedHeaders: [
      ...["content-length", "host", "x-envoy-expected-rq-timeout-ms", "x-envoy-internal"],
      ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"],
    ],
    failed: 503,
    other: (status) => (status >= 500 ? 503 : status),
    takes: [],
    url: (_sent, without) => ofEnvoy(without),
    // It asks about, and passes on, the path as its routes read it, and takes no escaped slash.
    path: (path) => (hasEscapedSlash(path) ? [400, undefined] : [200, ofEnvoy(path)]),
    nominated: 400,
  },
};
