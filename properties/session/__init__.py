"""What a run of pytest does with many checks: tests, shards, progress, memory, rows of absent subjects."""
