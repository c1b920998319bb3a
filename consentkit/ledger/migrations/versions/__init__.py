"""One module for each version of the tables. What a released one does is never changed."""
