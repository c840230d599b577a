"""The frozen records that flow through the house, metrics, budget, seeds and errors."""
