"""What the product costs, measured on the machine at hand against hand-written SQL in the same run."""
