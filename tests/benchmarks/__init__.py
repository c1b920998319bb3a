"""What the library costs, side by side with what stands beside it: `python -m tests.benchmarks`."""
