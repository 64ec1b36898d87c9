"""The ports' real sides: one module a vendor service, none of which knows another."""
