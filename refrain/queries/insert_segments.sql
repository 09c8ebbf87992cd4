INSERT INTO segments (
    job_id, slot, position, start_offset, end_offset, lines, prompt,
    estimate_usd)
SELECT %(job_id)s, %(slot)s, segment.*
FROM unnest(
    %(positions)s::integer[], %(start_offsets)s::interval[],
    %(end_offsets)s::interval[], %(lines)s::jsonb[], %(prompts)s::text[],
    %(estimates)s::numeric[]
) AS segment (position, start_offset, end_offset, lines, prompt, estimate_usd)
