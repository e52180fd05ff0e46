"""What `benchmarks/speed.py` measures with: the peers, the load, the limits."""
