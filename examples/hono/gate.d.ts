// The types of Postern's binding. scripts/types.mjs makes them of its OpenAPI document: do not edit.

/**
 * A whole number, or its digits. JavaScript rounds numbers beyond 2^53, so they are refused: an id
 * as large as that is sent as a BigInt or as digits.
 */
export type Int64 = number | bigint | string;

/** What Postern refuses. `headers` are those that the path of the same question sends with it. */
export type Failure = { ok: false; headers: Record<string, string> } & Problem;

/** An answer is what the path of the same question answers, and `ok` tells it from a failure. It has `headers` where it relies on copies. */
export type Answer<T> = ({ ok: true; headers?: Record<string, string> } & T) | Failure;

/** The entrypoint that a Worker binds. A call throws only when Postern itself breaks. */
export interface Gate {
  /** Verifies a token and tells whose it is, as POST /v1/verify does. */
  verify(question: TokenAsked): Promise<Answer<Verified>>;
  /** Introspects a token as RFC 7662 describes; a refused token is not a failure. */
  introspect(question: TokenAsked): Promise<Answer<Introspected>>;
  /** Tells whether a user has a permission on a service, as GET /v1/check does. */
  check(question: CheckAsked): Promise<Answer<Checked>>;
  /** Answers up to 100 questions about users, as POST /v1/check/batch does. */
  checkBatch(question: Questions): Promise<Answer<Answers>>;
}

export interface TokenAsked {
  /** the token, opaque or a JSON Web Token */
  token: string;
  /** the only token app that the token may belong to */
  app?: string;
}

export interface Verified {
  /** true */
  active: boolean;
  /** the kind of credential */
  kind: "jwt" | "opaque" | "basic" | "key";
  /** the token app, for a jwt */
  app?: string;
  /** the user; a key for machines has the member key instead */
  user?: Identity;
  /** the key for machines */
  key?: ShownKey;
  /** when it expires, epoch seconds; null for a password, and for a key that does not expire */
  expiresAt: number | null;
  /** the claims that the token app passes on */
  claims?: Record<string, unknown>;
}

export interface Identity {
  /** the user's id */
  id: number;
  /** the user name */
  username: string;
  /** a name for people */
  name: string | null;
  /** an email address */
  email: string | null;
  /** the user type */
  type: "Administrator" | "SYS_Creator" | "SYS_Reader";
  /** roles */
  roles: Array<string>;
}

export interface ShownKey {
  /** the key's id */
  id: number;
  /** the key's name */
  name: string;
  /** its rights */
  may: Array<"decisions" | "provisioning" | "administration">;
  /** the user it acts for, whose rights limit it */
  userId: number | null;
}

export interface Introspected {
  /** whether the token is valid */
  active: boolean;
  /** Bearer */
  token_type?: string;
  /** the user's id */
  sub?: string;
  /** the user name */
  username?: string;
  /** the token app, or postern for a token of its own */
  client_id?: string;
  /** when it expires, epoch seconds */
  exp?: number;
  /** the claim scope, if the token app passes it on */
  scope?: string;
}

export interface CheckAsked {
  /** the service's id */
  service: Int64;
  /** the permission; any case is taken */
  permission: "ADD"
    | "VIEW"
    | "MODIFY"
    | "DELETE"
    | "TEST"
    | "GRANT"
    | "SHARE"
    | "RELEASE"
    | "EXPORT"
    | (string & {});
  /** the user's id */
  user?: Int64;
  /** the user name, in place of the id */
  username?: string;
  /** a token of the user, in place of the id; the token's groups are taken into account */
  token?: string;
  /** the only token app that the token may belong to */
  app?: string;
}

export interface Checked {
  /** whether the user has the permission */
  allowed: boolean;
  /** the service's id */
  service: number;
  /** the permission */
  permission: "ADD"
    | "VIEW"
    | "MODIFY"
    | "DELETE"
    | "TEST"
    | "GRANT"
    | "SHARE"
    | "RELEASE"
    | "EXPORT";
  /** the user's id */
  user: number;
}

export interface Questions {
  /** the questions */
  checks: Array<Question>;
}

export interface Question {
  /** the service's id */
  service: Int64;
  /** the user's id; default: the caller */
  user?: Int64;
  /** the user name, in place of the id */
  username?: string;
  /** the permission; any case is taken */
  permission: "ADD"
    | "VIEW"
    | "MODIFY"
    | "DELETE"
    | "TEST"
    | "GRANT"
    | "SHARE"
    | "RELEASE"
    | "EXPORT"
    | (string & {});
}

export interface Answers {
  /** in the order of the questions */
  results: Array<Checked>;
}

export interface Problem {
  /** about:blank */
  type: string;
  /** the status in words */
  title: string;
  /** the HTTP status */
  status: number;
  /** what is wrong, in a sentence */
  detail: string;
  /** 401: why the credential was refused; 403: why the caller was refused; 429: which limit was reached */
  reason?: "missing"
    | "bad_scheme"
    | "too_long"
    | "not_three_parts"
    | "bad_base64"
    | "bad_json"
    | "doubled_member"
    | "unknown_algorithm"
    | "critical_extension"
    | "claim_type"
    | "claim_missing"
    | "no_lifetime"
    | "no_app"
    | "wrong_parameter"
    | "wrong_algorithm"
    | "bad_signature"
    | "expired"
    | "not_yet_valid"
    | "too_long_lived"
    | "revoked"
    | "bad_key"
    | "key_name"
    | "issuer_mismatch"
    | "audience_mismatch"
    | "type_refused"
    | "party_refused"
    | "bound_token"
    | "wrong_password"
    | "user_refused"
    | "user_disabled"
    | "user_deleted"
    | "user_unknown"
    | "id_conflict"
    | "insufficient_scope"
    | "no_permission"
    | "cross_origin"
    | "not_administrator"
    | "key_refused"
    | "cookie_refused"
    | "would_outlive"
    | "not_provisioned"
    | "rule"
    | "too_many_failures"
    | "new_address"
    | "address_failures"
    | "rate_limit"
    | "too_many_at_once";
  /** 400: which parameter or member breaks the rule */
  field?: string;
  /** 400: the wrong lines of an import, 100 at most */
  errors?: Array<WrongLine>;
}

export interface WrongLine {
  /** its number; the first line is 1 */
  line: number;
  /** which member or column */
  field: string;
  /** the rule that it breaks */
  why: string;
}
