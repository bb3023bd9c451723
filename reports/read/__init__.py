"""Evidence files, of which nothing is taken on trust."""
