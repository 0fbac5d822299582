"""Set-up and deployment: what runs before or around the product. Standard library only."""
