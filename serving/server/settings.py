"""What a server is started with."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from serving.cores import usable_cores
from serving.errors import StancewiseError
from serving.runtimes import BATCH_TOKENS, RuntimeName

VARIABLE = "STANCEWISE_SERVER"  # hands the settings to worker processes
KEY_VARIABLE = "STANCEWISE_API_KEY"


class ServerSettings(BaseModel):
    """The options of `python -m serving serve`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID")
    device: str = "auto"
    runtime: RuntimeName = "auto"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64, description="processes that share the port")
    batch_tokens: int = Field(default=BATCH_TOKENS, ge=128, description="padded tokens in one forward pass")
    queue: int = Field(default=4096, ge=1, description="statements that may wait, a worker")
    request_statements: int = Field(default=1024, ge=1, description="statements in one request")
    article_characters: int = Field(
        default=500_000, ge=1, description="of one article; 50,000 words have about 300,000"
    )
    articles: int = Field(default=4, ge=1, description="articles at a time, a worker; they are read one after another")
    body_bytes: int = Field(default=4 << 20, ge=1024, description="of one request")
    deadline: float = Field(default=30, gt=0, description="seconds from request to answer, then 503")
    read_seconds: float = Field(default=10, gt=0, description="seconds for headers, and for the body, to arrive")
    connections: int = Field(default=2000, ge=1, description="open connections, a worker; beyond that 503")
    grace: int = Field(default=20, ge=0, description="seconds that accepted requests get after SIGTERM")
    watch: float = Field(default=10, gt=0, description="seconds between two looks at the alias")

    def threads(self) -> int:
        """Cores that one worker computes with."""
        return max(1, usable_cores() // self.workers)


def read_key(file: Path | None) -> SecretStr | None:
    """The API key, from the file or from STANCEWISE_API_KEY; None when neither is given.

    Raises:
        StancewiseError: the file cannot be read or holds no key.
    """
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StancewiseError(f"--api-key-file {file}: cannot be read ({type(error).__name__})") from None
        if not key:
            raise StancewiseError(f"--api-key-file {file}: is empty; write the key into it")
        return SecretStr(key)
    value = os.environ.get(KEY_VARIABLE, "").strip()
    return SecretStr(value) if value else None
