"""References at full size with random weights: `build(description, folder)` of the module that a description names saves the
weights as the reference itself saves them and returns the model with its parts, which `measure` then measures."""
