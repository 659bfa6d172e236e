"""The commands: one short file each, named after it; what it does, as a straight line of calls."""
