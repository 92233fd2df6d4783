"""Keeps schemathesis signed in. Every operation is still called; only whom some calls concern is changed."""

import json
import os
import urllib.request

import schemathesis

# The first administrator, whose token all calls carry.
OWN_ID = "1"
# Nobody has this id.
OTHER_ID = 4_000_000_000

# Each of these, with the own id, would end the token that all further calls need.
ENDS_THE_TOKEN = {
    # Refused for the last administrator, but schemathesis may have created another one before.
    "delete_user",
    # Likewise: it may disable the administrator, or take the type away.
    "update_user",
    # It ends other tokens, and the password is needed for the tokens that sign_out ends.
    "set_password",
    "revoke_user_tokens",
    "revoke_user_token",
}


def fresh_token():
    """An opaque token that only one call has."""
    account = {"username": os.environ["USERNAME"], "password": os.environ["PASSWORD"]}
    request = urllib.request.Request(
        f"{os.environ['POSTERN']}/imanager/security/tokens.json",
        data=json.dumps(account).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def has_own_token(case):
    return (case.headers or {}).get("Authorization") == f"Bearer {os.environ['OPAQUE_TOKEN']}"


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId", "")
    parameters = case.path_parameters or {}
    if operation in ENDS_THE_TOKEN and str(parameters.get("id")) == OWN_ID:
        case.path_parameters["id"] = OTHER_ID
    # Signing out ends the token that asks, so it asks with one of its own.
    if operation.startswith("sign_out") and has_own_token(case):
        case.headers["Authorization"] = f"Bearer {fresh_token()}"
