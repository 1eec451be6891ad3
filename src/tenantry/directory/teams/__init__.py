"""Teams: who works together in a tenant, and who supervises whom."""
