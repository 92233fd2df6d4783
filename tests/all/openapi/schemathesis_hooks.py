"""Keeps schemathesis signed in. It calls each operation, some of them about another user."""

import json
import os
import urllib.request

import schemathesis

# Records are sent unchanged.
schemathesis.serializer.alias(["application/x-ndjson", "text/csv"], "text/plain")

# The first administrator, whose token is sent with each call.
OWN_ID = "1"
# No user has this id.
OTHER_ID = 4_000_000_000

# With the administrator's own id, each of these would end the token that all further calls need.
ENDS_THE_TOKEN = {
    # Refused for the last administrator, but schemathesis may have created another one before.
    "delete_user",
    # Likewise: it may disable the administrator, or change their type.
    "update_user",
    # It ends other tokens, and the tokens that sign_out ends need the password.
    "set_password",
    "revoke_user_tokens",
    "revoke_user_token",
}


def fresh_token():
    """An opaque token for a single call."""
    account = {"username": os.environ["USERNAME"], "password": os.environ["PASSWORD"]}
    request = urllib.request.Request(
        f"{os.environ['POSTERN']}/imanager/security/tokens.json",
        data=json.dumps(account).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def operation_of(case):
    return case.operation.definition.raw.get("operationId", "")


@schemathesis.auth(refresh_interval=None)
class OpaqueToken:
    """The credential of each call. Signing out ends its token, so that call has its own."""

    def get(self, case, context):
        return (
            fresh_token()
            if operation_of(case).startswith("sign_out")
            else os.environ["OPAQUE_TOKEN"]
        )

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


def without_fractions(value):
    """The value with 1 for 1.0, which JSON Schema reads as an integer and Postern does not."""
    if isinstance(value, dict):
        return {name: without_fractions(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_fractions(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    body = without_fractions(case.body)
    # 1 equals 1.0, but not as text. Setting the body makes schemathesis judge again whether it is
    # valid.
    if repr(body) != repr(case.body):
        case.body = body
    if operation_of(case) in ENDS_THE_TOKEN and str(case.path_parameters.get("id")) == OWN_ID:
        case.path_parameters["id"] = OTHER_ID
    # schemathesis takes ids for paths from other answers, and writes null as "None".
    for name, value in case.path_parameters.items():
        if value is None:
            case.path_parameters[name] = OTHER_ID
