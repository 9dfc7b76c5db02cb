"""Laws, jumps, thresholds and verdicts from a table of runs; needs numpy, scipy and pandas, never torch."""
