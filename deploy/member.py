"""Add a member to the tracking server, or give one a new password.

Run by whoever runs the server, with the settings of deploy/.env in the environment.
"""

import getpass
import os
import sys
from typing import Annotated

import typer
from mlflow.exceptions import MlflowException
from mlflow.server.auth.client import AuthServiceClient

# A promotion takes the alias challenger away and breaks the lock of one that was killed: both are deletions.
TRAINS = {"experiment": "EDIT", "registered_model": "MANAGE"}


def main(
    name: Annotated[str, typer.Argument(help="As the member will sign in.")],
    trains: Annotated[bool, typer.Option("--trains", help="May train, register and promote; else only reads.")] = False,
) -> None:
    """Ask for the member's password (or read it from standard input) and write both into the tracking server."""
    password = getpass.getpass(f"password of {name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    os.environ["MLFLOW_TRACKING_USERNAME"] = os.environ["MLFLOW_AUTH_ADMIN_USERNAME"]
    os.environ["MLFLOW_TRACKING_PASSWORD"] = os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"]
    client = AuthServiceClient(f"http://127.0.0.1:{os.environ['MLFLOW_PORT']}")
    try:
        known = _add(client, name, password)
        for kind, permission in TRAINS.items() if trains else ():
            client.grant_user_permission(name, kind, "*", permission)
    except MlflowException as error:
        sys.exit(f"error: {name}: {str(error).splitlines()[0]}")
    print(f"{name} {'has a new password' if known else 'is a member'}{' and may train' if trains else ''}")


def _add(client: AuthServiceClient, name: str, password: str) -> bool:
    """Whether the member was known already."""
    try:
        client.create_user(name, password)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        client.update_user_password(name, password)
        return True
    return False


if __name__ == "__main__":
    typer.run(main)
