"""The demonstration: a cast of people takes a real project through its whole life, through the doors they would take."""
