-- The picture of a user: one of their own files, clean and with thumbnails when it was chosen. A file is never rewritten, so its id says which picture it is.
ALTER TABLE users ADD COLUMN avatar_file_id uuid REFERENCES files (id);
