"""Pure decisions over the rules: no framework, no clock, no input or output."""
