"""What the steps that the runner brings do; each is started as a program of its own."""
