"""The report: stage folders in, one HTML file that needs no network, and a summary as CSV and JSON, out."""
