// What is typed into a form survives an expired session and a reload of the tab.

import { drafts } from "./keep.mjs";
import { useState } from "./lib.mjs";

/** Members that are never kept, whatever a page says. */
const SECRETS = /password|secret|token$|^key$|privateKey/i;

/**
 * The values of a form, kept for this tab under a name until they are cleared.
 * @template {Record<string, any>} T
 * @param {string} name one a form, such as `users.new`
 * @param {T} initial
 * @param {{omit?: string[]}} [options] members that are not kept, beside passwords and secrets
 * @returns {[T, (change: Partial<T>) => void, () => void]} the values, what changes some of them,
 *   and what forgets the draft and begins anew
 */
export function useDraft(name, initial, { omit = [] } = {}) {
  const [values, setValues] = useState(() => ({ ...initial, ...drafts.read(`draft.${name}`) }));
  const change = (some) =>
    setValues((before) => {
      const after = { ...before, ...some };
      drafts.write(`draft.${name}`, changed(initial, after, omit));
      return after;
    });
  const clear = () => {
    drafts.write(`draft.${name}`, null);
    setValues(initial);
  };
  return [values, change, clear];
}

/** The members that were changed and may be kept; `null` where there are none. */
function changed(initial, values, omit) {
  const kept = ([member, value]) =>
    !SECRETS.test(member) &&
    !omit.includes(member) &&
    JSON.stringify(value) !== JSON.stringify(initial[member]);
  const members = Object.entries(values).filter(kept);
  return members.length > 0 ? Object.fromEntries(members) : null;
}
