"""The released method stated plainly: what the benchmarks compare with."""
