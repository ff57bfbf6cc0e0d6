"""The verbs of `twin`, one file each."""
