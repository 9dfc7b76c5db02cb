"""Two Parquet tables that every run ends in; imports no other room."""
