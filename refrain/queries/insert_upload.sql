INSERT INTO uploads (owner, sha256, duration, size_bytes)
VALUES (%(owner)s, %(sha256)s, %(duration)s, %(size_bytes)s)
ON CONFLICT (owner, sha256) DO NOTHING
