"""The frozen records that flow through the package, metrics, budget, seeds and errors."""
