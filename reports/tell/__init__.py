"""What the evidence says: verdicts, precision, speed, the chapter, what changed."""
