"""Introspects a token and revokes it with authlib, as an OAuth client does.

python authlib_calls.py URL CLIENT_ID CLIENT_SECRET TOKEN
Prints the answers as JSON.
"""

import json
import sys

from authlib.integrations.requests_client import OAuth2Session

url, client_id, client_secret, token = sys.argv[1:]


def session(secret):
    return OAuth2Session(client_id, secret, token_endpoint_auth_method="client_secret_basic")


def introspected(secret=client_secret):
    answer = session(secret).introspect_token(
        f"{url}/v1/introspect", token=token, token_type_hint="access_token"
    )
    return [answer.status_code, answer.json()]


told = {"before": introspected(), "wrong": introspected(client_secret + "x")}
revoked = session(client_secret).revoke_token(
    f"{url}/v1/revoke", token=token, token_type_hint="access_token"
)
told["revoked"] = [revoked.status_code, revoked.text]
told["after"] = introspected()
json.dump(told, sys.stdout)
