// Who is signed in. While a session is over, whoever asks waits for the sign-in dialog.

import { makeStore } from "./lib.mjs";
import { parse, send } from "./http.mjs";

const SESSION = "/v1/console/session";

/**
 * @typedef {{
 *   signIn: "here" | "elsewhere" | "off",
 *   at?: string,
 *   user: {id: number, username: string} | null,
 *   key: {id: number, name: string} | null,
 *   expiresAt: string | number | null,
 * }} Session
 */

/** The session as it was last read; `null` before. @type {{get(): Session | null}} */
export const session = makeStore(null);

/** Those who wait for the sign-in dialog; `null` while nobody does. */
export const waiting = makeStore(null);

/**
 * Whether somebody is at work here: from signing in until signing out. A session may be over in
 * between; their page stays then, with all that they typed.
 */
export const atWork = makeStore(false);

function learn(found) {
  session.set(found);
  if (isSignedIn(found)) atWork.set(true);
}

/** Whether somebody is signed in. @param {Session | null} is */
export const isSignedIn = (is = session.get()) => Boolean(is?.user || is?.key);

/** Asks who is signed in. @returns {Promise<Session>} */
export async function readSession() {
  const found = parse(await (await send("GET", SESSION)).text());
  learn(found);
  return found;
}

/**
 * Signs in, and lets go on what waits for it.
 * @param {{username: string, password: string} | {key: string}} credential
 */
export async function signIn(credential) {
  learn(parse(await (await send("POST", SESSION, { body: credential })).text()));
  end(true);
}

/** Signs out. */
export async function signOut() {
  await send("DELETE", SESSION);
  atWork.set(false);
  await readSession();
}

/** Opens the sign-in dialog. @returns {Promise<boolean>} whether somebody has signed in */
export function askToSignIn() {
  const { promise, resolve } = pending();
  waiting.set([...(waiting.get() ?? []), resolve]);
  return promise;
}

/** Closes the sign-in dialog without anybody having signed in. */
export const giveUp = () => end(false);

function end(signedIn) {
  const all = waiting.get() ?? [];
  waiting.set(null);
  for (const resolve of all) resolve(signedIn);
}

function pending() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
