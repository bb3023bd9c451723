"""The laws. ``pytest properties/laws`` holds this torch to them."""
