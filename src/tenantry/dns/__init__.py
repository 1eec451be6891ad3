"""What the service asks of the domain name system."""
