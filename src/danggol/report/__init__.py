"""The report: one HTML file, in English and Korean, of what the shop's tables say; only this room draws."""

from danggol.report.page import build_report

__all__ = ["build_report"]
