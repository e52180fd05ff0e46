"""infinity-emb's own HTTP server, called as a library. Runs in its environment.

python infinity_app.py MODEL_FOLDER ENGINE PORT BATCH
"""

import os
import sys

import uvicorn
from infinity_emb import EngineArgs
from infinity_emb.infinity_server import create_server

if __name__ == "__main__":
    folder, engine, port, batch = sys.argv[1:]
    os.chdir(folder)  # as in worker.py: the ONNX file is found from here alone
    arguments = EngineArgs(
        model_name_or_path=".",
        served_model_name="stance",
        engine=engine,
        device="cpu",
        batch_size=int(batch),
        onnx_disable_optimize=True,
        model_warmup=False,
    )
    app = create_server(engine_args_list=[arguments])
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
