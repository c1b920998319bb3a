"""What the library costs, next to the costs of alternatives: `python -m tests.benchmarks`."""
