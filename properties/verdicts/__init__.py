"""What a result should be, the one comparison, and the evidence of it."""
