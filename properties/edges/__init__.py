"""The edges of what is defined: special values, huge sizes, one number changed."""
