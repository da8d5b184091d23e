"""The life of a job. Nothing outside this package writes `jobs.status`."""
