"""The targets are for workers to import, not for pytest."""

collect_ignore_glob = ["targets/*"]
