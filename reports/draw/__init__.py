"""The page: tables, pictures and formulas."""
