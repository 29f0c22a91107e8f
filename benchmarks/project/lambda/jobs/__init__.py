"""The jobs of the benchmarks."""
