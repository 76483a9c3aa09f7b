"""HTTP in, HTML out: a view reads a form, says one verb and renders one template."""
