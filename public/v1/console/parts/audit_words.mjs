// The audit trail in words: what was done, by whom, and to what.

import { has, t } from "../i18n.mjs";

/** All actions in the audit trail. */
export const ACTIONS = [
  "access_token.issue",
  "access_token.refresh",
  "api.delete",
  "api.put",
  "application.authorize",
  "application.create",
  "application.delete",
  "application.renew_secret",
  "application.update",
  "department.add_member",
  "department.create",
  "department.delete",
  "department.remove_member",
  "department.update",
  "directory.export",
  "directory.import",
  "grant.create",
  "grant.delete",
  "grant.expire",
  "grant.update",
  "group.add_member",
  "group.create",
  "group.delete",
  "group.remove_member",
  "group.update",
  "key.add_secret",
  "key.create",
  "key.delete",
  "key.remove_secret",
  "master_key.reseal",
  "node.order",
  "organization.create",
  "organization.delete",
  "organization.update",
  "resource_name.delete",
  "resource_name.put",
  "resource_type.put",
  "scim.group.adopt",
  "scim.group.create",
  "scim.group.delete",
  "scim.group.update",
  "scim.user.adopt",
  "scim.user.create",
  "scim.user.delete",
  "scim.user.update",
  "service.create",
  "service.delete",
  "service.switch",
  "service.switch_apis",
  "service.update",
  "sign_in.fail",
  "token.issue",
  "token.revoke",
  "token.revoke_all",
  "token.revoke_refused",
  "token_app.create",
  "token_app.delete",
  "token_app.update",
  "tombstone.delete",
  "user.create",
  "user.delete",
  "user.follow",
  "user.set_password",
  "user.sync_groups",
  "user.update",
];

/** An action in words; one of another release has its code. @param {string} action */
export const actionWords = (action) => (has(`action.${action}`) ? t(`action.${action}`) : action);

/** Actors that are no users: how the trail writes them, and the key of their text. */
const ACTORS = [
  [/^\[scheduled\]$/, "scheduled"],
  [/^\[first administrator\]$/, "firstAdministrator"],
  [/^\[holder of the key\]$/, "holderOfKey"],
  [/^\[holder of the token\]$/, "holderOfToken"],
  [/^\[unknown user\]$/, "unknownUser"],
  [/^\[token app (.+)\]$/, "tokenApp"],
  [/^\[application (.+)\]$/, "application"],
  [/^\[key \d+ (.+)\]$/, "key"],
];

/** Who did it, in words. @param {string} actor */
export function actorWords(actor) {
  for (const [pattern, key] of ACTORS) {
    const found = pattern.exec(actor);
    if (found) return [t(`actor.${key}`), found[1]].filter(Boolean).join(" ");
  }
  return actor;
}

const KINDS_OF_OBJECT = { USER: "user", GROUP: "group", DEPT: "department" };

/**
 * To what an action was done, as what the console has a page for: `[{kind, id, name?}]`. It is
 * empty where the target says it best itself, as the name of a user does.
 * @param {{action: string, target: string, before: any, after: any}} event
 */
export function targetsOf({ action, target, before, after }) {
  const [noun, verb] = action.replace(/^scim\./, "").split(".");
  const [first, second, third] = target.split("/");
  if (![first, third ?? "1"].every((id) => /^\d{1,18}$/.test(id))) return [];
  const name = after?.name ?? before?.name;
  if (noun === "grant" && third) {
    return [
      { kind: "service", id: first },
      { kind: KINDS_OF_OBJECT[second], id: third },
    ];
  }
  if (noun === "api") return [{ kind: "service", id: first }];
  if (["group", "department"].includes(noun) && verb.endsWith("_member")) {
    return [
      { kind: noun, id: first },
      { kind: "user", id: second },
    ];
  }
  if (!["group", "department", "service"].includes(noun)) return [];
  // What was deleted has no page, and its name is not to be looked up.
  const isGone = verb === "delete";
  return [{ kind: noun, id: first, name: name ?? (isGone ? null : undefined), isGone }];
}
