"""Benchmarks: each figure beside the floor that was measured with it."""

import os

# Processes are started while gRPC's threads run, and it would warn of each.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
