"""The report of a planning experiment: one HTML file that needs nothing else."""

from __future__ import annotations

from armap.report.data import Example, ReportData, Shown
from armap.report.page import render_page

__all__ = ["Example", "ReportData", "Shown", "render_page"]
