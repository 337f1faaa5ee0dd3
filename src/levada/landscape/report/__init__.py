"""The report of an assessment: one HTML file without a server, or Markdown."""

from levada.landscape.report.assessment import Assessment, assess
from levada.landscape.report.markdown import as_markdown
from levada.landscape.report.page import as_html

__all__ = ["Assessment", "as_html", "as_markdown", "assess"]
