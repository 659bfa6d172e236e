"""The suite: what is proven, timed, recorded and shown."""
