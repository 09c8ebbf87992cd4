SELECT sha256, duration, size_bytes
FROM uploads
WHERE owner = %(owner)s AND sha256 = %(sha256)s
