"""The checkpoint as a custom runtime of MLServer, which gathers batches itself. Runs in its environment.

Its Hugging Face runtime is not used: it gives one label of the six.
"""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from torch_model import TorchModel


class Checkpoint(MLModel):
    """Texts to logits."""

    async def load(self) -> bool:
        """Load the checkpoint."""
        self.model = TorchModel(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Logits of a batch."""
        logits = self.model(StringCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("logits", logits)])
