SELECT pg_try_advisory_xact_lock(hashtextextended(%(owner)s, 0)) AS locked
