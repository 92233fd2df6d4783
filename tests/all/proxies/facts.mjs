// How the proxies differ, and why.

import { POSTERN_HOST } from "../support/neighbours.mjs";

/** The defaults. */
const MOST = {
  /** The path at which the proxy asks Postern about a request for `path`. */
  asked: (question) => `/v1/forward-auth/${question}/redirect`,
  /** The client's URL follows that path, and is in no header. */
  appendsUrl: false,
  /** The method with which the proxy asks about a client's method. */
  askedMethod: () => "GET",
  /** Headers that the proxy itself sends to Postern, beside those of its client. */
  addedHeaders: [
    ...["host", "x-forwarded-for", "x-forwarded-host"],
    ...["x-forwarded-method", "x-forwarded-proto", "x-forwarded-uri"],
  ],
  /** Postern also gets the client's other headers. */
  passesAll: false,
  /** Postern's name in `Host` and in TLS. */
  host: () => POSTERN_HOST,
  serverName: POSTERN_HOST,
  /** The example speaks HTTP/2 to browsers. */
  http2: true,
  /** The most connections to Postern that five consecutive requests need. */
  connections: 1,
  /** The status of a page that is opened by a token in its URL. */
  page: 303,
  /** The status if Postern does not answer, or if its certificate is not trusted. */
  failed: 502,
  /** The client's status, if Postern's status does not admit it. */
  other: (status) => status,
  /** Statuses beside 200 that admit a request. Postern never answers with them. */
  takes: [201, 204, 206],
  /** The URL that arrives if the query had a token. */
  url: (_sent, without) => without,
  /** The status of a request for a path, and the path that arrives. */
  path: (path) => [200, path],
  /**
   * The status for a client without a credential that names the forwarded URL's headers as
   * hop-by-hop.
   */
  nominated: 401,
  /** The application gets a client's claim headers, as the gateway passes claims on. */
  keepsClaims: false,
  /** The application gets Postern's cookie. */
  keepsCookie: false,
};

/** A URL without double slashes and dots in its path. `decoded` reads its escapes. */
function cleaned(url, decoded = (escaped) => escaped) {
  const [path, ...query] = url.split("?");
  const plain = path.replaceAll(/%[\da-f]{2}/gi, decoded).replaceAll(/\/+/g, "/");
  return [new URL(`http://app${plain}`).pathname, ...query].join("?");
}

/** The escape, or its character if that needs no escape. */
function needed(escaped) {
  const character = String.fromCharCode(parseInt(escaped.slice(1), 16));
  return /[\w.~-]/.test(character) ? character : escaped;
}

const ofEnvoy = (url) => cleaned(url, needed);
const ofTraefik = (url) => cleaned(url, (escaped) => needed(escaped.toUpperCase()));
const hasEscapedSlash = (path) => /%2f/i.test(path);

const CADDY = {
  ...MOST,
  // forward_auth passes all headers of the client on.
  passesAll: true,
  // The directive that removes the token also rewrites the path without double slashes and dots.
  url: (_sent, without) => cleaned(without),
};

export const FACTS = {
  nginx: {
    ...MOST,
    // auth_request accepts 2xx, 401 and 403, and answers 500 to everything else. So nginx must not
    // ask for redirects.
    asked: (question) => `/v1/forward-auth/${question}`,
    page: 200,
    // nginx speaks HTTP/2 only if its configuration says so.
    http2: false,
    // nginx removes the headers that are named, and not those that begin like them.
    keepsClaims: true,
    failed: 500,
    other: (status) => ([401, 403].includes(status) ? status : 500),
  },
  caddy: CADDY,
  "the system's caddy": CADDY,
  traefik: {
    ...MOST,
    failed: 500,
    // The proxy gets an address instead of a name, and has no option for the name.
    host: (address) => address,
    serverName: false,
    addedHeaders: ["accept-encoding", ...MOST.addedHeaders, "user-agent"].sort(),
    // Its routers would not see a slash behind the escape, so Traefik refuses it. No middleware
    // changes a query or single cookies.
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
    // ext_authz appends the client's URL to its path, and asks with the client's method.
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
    // Envoy uses the path as its routes read it for both, and refuses an escaped slash.
    path: (path) => (hasEscapedSlash(path) ? [400, undefined] : [200, ofEnvoy(path)]),
    nominated: 400,
  },
};
