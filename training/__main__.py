"""`python -m training`: check data, train, compare, promote."""

from serving.cli import run
from training.commands import app

if __name__ == "__main__":
    run(app)
