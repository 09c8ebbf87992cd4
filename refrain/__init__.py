"""What the services agree on: the job, its record, its protocol."""
