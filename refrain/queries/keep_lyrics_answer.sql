INSERT INTO lyrics_answers (digest, answer) VALUES (%(digest)s, %(answer)s)
ON CONFLICT (digest) DO UPDATE SET answer = EXCLUDED.answer, answered_at = now()
