"""`moonhand ask`: a question about texts, pictures, pages and films, answered in words."""
