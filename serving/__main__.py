"""`python -m serving`: label statements and articles, serve a model."""

from serving.cli import run
from serving.commands import app

if __name__ == "__main__":
    run(app)
