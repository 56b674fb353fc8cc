/**
 * Functions of SQLite that the queries use. They are in the schema of the tables, and take text, so that they are not those
 * of PostgreSQL with the same names.
 *
 * `\u0000` and halves of surrogate pairs are valid JSON, but `jsonb` has no value for them: what is searched for never has
 * them, and what is beside it does not matter.
 */
export const FUNCTIONS = String.raw`
CREATE FUNCTION json_valid(document text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT document::json IS NOT NULL $$;

CREATE FUNCTION json_array_length(document text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT pg_catalog.json_array_length(document::json) $$;

CREATE FUNCTION json_readable(document text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT regexp_replace(document, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\ufffd', 'g')::jsonb $$;

CREATE FUNCTION json_extract(document text, path text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT jsonb_path_query_first(SCHEMA.json_readable(document), path::jsonpath) #>> '{}' $$;

CREATE FUNCTION json_each(document text) RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT jsonb_array_elements_text(SCHEMA.json_readable(document)) $$;
`
