// The API as pages call it. When the session is over, the sign-in dialog opens over what is there,
// and the request is sent again afterwards; so nothing that was typed is lost.

import { Problem, parse, send } from "./http.mjs";
import { askToSignIn, isSignedIn, readSession } from "./session.mjs";

export { Problem };

/** How often one request may open the dialog. */
const MOST_SIGN_INS = 3;

/** @param {string} method @param {string} path @param {Parameters<typeof send>[2]} [options] */
async function ask(method, path, options, signIns = 0) {
  try {
    return await send(method, path, options);
  } catch (problem) {
    if (problem.status !== 401 || signIns === MOST_SIGN_INS) throw problem;
    // A 401 may also be about a credential in the request. The session tells which it is.
    if (isSignedIn(await readSession()) || !(await askToSignIn())) throw problem;
    return ask(method, path, options, signIns + 1);
  }
}

/** What an answer says: `null` where it has no body. */
async function value(answer) {
  const text = await answer.text();
  return text === "" ? null : parse(text);
}

/** Calls of the API. Each answers the parsed body, and throws a {@link Problem}. */
export const api = {
  /**
   * @param {string} path
   * @param {Record<string, any>} [query]
   * @param {{signal?: AbortSignal}} [options]
   */
  get: async (path, query, options) => value(await ask("GET", path, { ...options, query })),
  /** @param {string} path @param {any} body */
  post: async (path, body, options) => value(await ask("POST", path, { ...options, body })),
  /** @param {string} path @param {any} [body] */
  put: async (path, body, options) => value(await ask("PUT", path, { ...options, body })),
  /** @param {string} path @param {any} body */
  patch: async (path, body, options) => value(await ask("PATCH", path, { ...options, body })),
  /** @param {string} path @param {Record<string, any>} [query] */
  delete: async (path, query, options) => value(await ask("DELETE", path, { ...options, query })),
  /** The `Response` itself: for streams, other types of bodies, and headers of the answer. */
  raw: (method, path, options) => ask(method, path, options),
};
