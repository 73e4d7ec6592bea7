"""What a hospital needs around the service: what it will not understand, and whether it is ready to go live."""
