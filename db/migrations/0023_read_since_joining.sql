-- The newest message that was stored when the member joined: what was said before is theirs to read, and is no news to them.
ALTER TABLE members ADD COLUMN joined_pos bigint NOT NULL DEFAULT 0;
--> statement-breakpoint
-- How far a member has read a channel: up to their marker, which may have no row, and not less than to where they joined. Whoever marks something as unread (generation
-- above 0) may go back further.
CREATE FUNCTION read_place(p_generation bigint, p_read_pos bigint, p_joined_pos bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_generation > 0 THEN p_read_pos ELSE greatest(p_read_pos, p_joined_pos) END
$$;
