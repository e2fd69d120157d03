"""What shoppers ask for."""
