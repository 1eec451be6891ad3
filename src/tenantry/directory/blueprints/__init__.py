"""What a tenant is made from: permissions, locked roles and rules of one product."""
