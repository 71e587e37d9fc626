"""What the benchmarks share: processes to measure, rounds to measure them in, and what the machine says of them."""
