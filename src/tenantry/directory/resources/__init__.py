"""The product's own objects: this service is the gate in front of them, not the product."""
