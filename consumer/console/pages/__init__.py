"""The pages, one file a page: each reads what it shows through the visit's connection and renders a template."""
