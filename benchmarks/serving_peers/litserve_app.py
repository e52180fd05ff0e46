"""The checkpoint on LitServe. Runs in its environment.

python litserve_app.py MODEL_FOLDER PORT BATCH WAIT_SECONDS
"""

import sys
from typing import Any

import litserve
import numpy as np
from torch_model import TorchModel


class Stance(litserve.LitAPI):
    """Texts to logits, gathered into batches by LitServe."""

    folder = ""

    def setup(self, device: str) -> None:
        """Load the checkpoint."""
        self.model = TorchModel(self.folder)

    def decode_request(self, request: dict[str, Any]) -> str:
        """The text."""
        return str(request["text"])

    def predict(self, texts: list[str]) -> np.ndarray:
        """Logits of a batch."""
        return self.model(texts)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        """Logits as JSON."""
        return {"logits": output.tolist()}


if __name__ == "__main__":
    folder, port, batch, wait = sys.argv[1:]
    api = Stance(max_batch_size=int(batch), batch_timeout=float(wait))
    api.folder = folder
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(port), num_api_servers=1, generate_client_file=False, log_level="warning")
