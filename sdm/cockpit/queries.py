"""Set-based readings of the work places; every one inside the actor's scope."""
