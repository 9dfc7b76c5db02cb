"""Two digits, shown, spoken or written, and a question about them."""
