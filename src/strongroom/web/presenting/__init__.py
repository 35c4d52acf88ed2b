"""Pure view models: from the state of a project to what a page says. No Django, no clock, no input or output."""
