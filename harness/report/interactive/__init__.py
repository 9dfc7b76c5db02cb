"""The report as a page to explore: one file, which asks a network for nothing."""

from harness.report.interactive.page import interactive_page

__all__ = ["interactive_page"]
