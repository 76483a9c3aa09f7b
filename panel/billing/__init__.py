"""Money rules: prices, tax, terms, proformas, invoices and their numbers."""
