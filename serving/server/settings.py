"""What a server is started with."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from serving.errors import StancewiseError
from serving.runtime.base import BATCH_TOKENS, RuntimeName
from serving.runtime.cores import usable_cores

VARIABLE = "STANCEWISE_SERVER"  # hands the settings to worker processes
KEY_VARIABLE = "STANCEWISE_API_KEY"


class ServerSettings(BaseModel):
    """The options of `python -m serving serve`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")
    host: str = Field(default="127.0.0.1", description="127.0.0.1 is reached from this machine alone.")
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes any free port.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that share the port.")
    device: str = Field(default="auto", description="auto, cpu or cuda.")
    runtime: RuntimeName = Field(default="auto", description="auto takes int8 on a CPU where the model has it.")
    any_language: bool = Field(default=False, description="Do not abstain on languages that the model does not read.")
    queue: int = Field(default=4096, ge=1, description="Statements that may wait, per worker; more get 429.")
    request_statements: int = Field(default=1024, ge=1, description="Statements in one request; more get 413.")
    article_characters: int = Field(default=500_000, ge=1, description="Characters of one article; more get 413.")
    articles: int = Field(default=4, ge=1, description="Articles at a time, per worker; more get 429.")
    article_seconds: float = Field(default=120, ge=0.001, description="Seconds to read one article; longer gets 422.")
    body_bytes: int = Field(default=4 << 20, ge=1024, description="Bytes of one request; more get 413.")
    batch_tokens: int = Field(default=BATCH_TOKENS, ge=128, description="Padded tokens in one forward pass.")
    read_seconds: float = Field(default=10, ge=0.1, description="Seconds for headers, and for the body, to arrive.")
    deadline: float = Field(default=30, ge=0.001, description="Seconds to the answer; later gets 503.")
    connections: int = Field(default=2000, ge=1, description="Open connections, per worker; more get 503.")
    grace: int = Field(default=20, ge=0, description="Seconds that accepted requests get after SIGTERM.")
    corrections: Path | None = Field(
        default=None, description="Keep here (.jsonl) what readers of the page put right; none: they cannot."
    )
    watch: float = Field(default=10, ge=0.1, description="Seconds between two looks at the alias.")
    drift_hours: float = Field(default=24, gt=0, description="Hours of statements that are compared with validation.")

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
