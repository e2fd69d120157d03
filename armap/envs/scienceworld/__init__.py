"""ScienceWorld: thirty elementary science tasks in a simulated house, exactly reproducible."""
