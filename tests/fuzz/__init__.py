"""Properties of the parsers that hold for any input, and the program that mutates input: `make fuzz`."""
