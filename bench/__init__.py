"""Benchmarks: ratios between the bridge and a bare loop, measured in one run (`make bench`)."""
