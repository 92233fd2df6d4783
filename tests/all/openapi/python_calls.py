"""Imports every module of the client that openapi-python-client has generated, and uses it."""

import base64
import importlib
import os
import pkgutil

import postern_client

broken = []
for module in pkgutil.walk_packages(postern_client.__path__, "postern_client."):
    try:
        importlib.import_module(module.name)
    except Exception as error:  # Any failure is what this looks for.
        broken.append(f"{module.name}: {error!r}")
assert not broken, f"{len(broken)} modules do not import:\n" + "\n".join(broken)

from postern_client import AuthenticatedClient
from postern_client.api.datafor_modeler import update_token_app
from postern_client.api.services import add_grant, delete_grant
from postern_client.api.v1 import (
    check,
    create_user,
    delete_user,
    get_user,
    list_users,
    update_user,
    verify,
)
from postern_client.models import Identity, NewGrant, NewUser, TokenAppConfiguration, UserChange


def client(prefix, credential):
    return AuthenticatedClient(base_url=os.environ["POSTERN"], prefix=prefix, token=credential)


def expect(call, holds, answer):
    assert holds, f"{call} answered {answer}"
    print(f"ok {call}")


account = f"{os.environ['USERNAME']}:{os.environ['PASSWORD']}"
admin = client("Basic", base64.b64encode(account.encode()).decode())
alice = client("Bearer", os.environ["TOKEN"])

app = TokenAppConfiguration.from_dict(
    {
        "name": "ERP",
        "token_name": "token",
        "secret": "abcd",
        "expire": 86400,
        "fieldmap": {"username": "loginname", "name": "name", "email": "email"},
        "algorithm": "HS256",
        "enable": "1",
        "inituser": "1",
        "initroles": ["SYS_Reader"],
    }
)
answer = update_token_app.sync(client=admin, body=app)
expect("update_token_app", answer.success is True, answer)

answer = verify.sync(client=alice)
# The member is left out if a key is verified.
expect("verify", isinstance(answer.user, Identity) and answer.user.username == "alice", answer)

bob = create_user.sync(
    client=admin, body=NewUser(username="bob", name="Bob", email="bob@example.com")
)
expect("create_user", bob.username == "bob", bob)

answer = list_users.sync(client=admin, limit=2)
expect("list_users", len(answer.items) == 2, answer)

answer = get_user.sync(bob.id, client=admin)
expect("get_user", answer.email == "bob@example.com", answer)

answer = update_user.sync(bob.id, client=admin, body=UserChange(name="Robert"))
expect("update_user", answer.name == "Robert", answer)

grant = NewGrant.from_dict(
    {"authObjectType": "USER", "authObjectId": bob.id, "permissions": ["TEST"]}
)
granted = add_grant.sync(1, client=admin, body=grant)
expect("add_grant", granted.code == "S", granted)

answer = check.sync(client=admin, service=1, permission="TEST", user=bob.id)
expect("check", answer.allowed is True, answer)

answer = delete_grant.sync(granted.data.id, client=admin)
expect("delete_grant", answer.code == "S", answer)

answer = delete_user.sync_detailed(bob.id, client=admin)
expect("delete_user", answer.status_code == 204, answer)
