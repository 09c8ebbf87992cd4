SELECT answer
FROM lyrics_answers
WHERE digest = %(digest)s AND answered_at > now() - %(kept)s
