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
  addedHeaders: ["host", "x-forwarded-host", "x-forwarded-method", "x-forwarded-proto", "x-forwarded-uri"],
  /** Whether Postern gets the client's other headers, too. */
  passesAll: false,
  /** What Postern is called in `Host`, and in TLS. */
  host: () => POSTERN_HOST,
  serverName: POSTERN_HOST,
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
  url: (sent, without) => without,
  /** The status of a request for a path, and what arrives of the path. */
  path: (path) => [200, path],
  /** Whether the application gets Postern's cookie. */
  keepsCookie: false,
};

const CADDY = {
  ...MOST,
  // forward_auth passes on all headers of the client.
  passesAll: true,
  // What takes the token out also writes the path anew, without double slashes and dots.
  url: (sent, without) => without.replace("//", "/"),
};

export const FACTS = {
  nginx: {
    ...MOST,
    // auth_request knows 2xx, 401 and 403, and makes a 500 of everything else. So nginx asks for no redirects.
    asked: (question) => `/v1/forward-auth/${question}`,
    page: 200,
    failed: 500,
    other: (status) => ([401, 403].includes(status) ? status : 500),
  },
  caddy: CADDY,
  "the system's caddy": CADDY,
};
