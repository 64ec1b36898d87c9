"""Implements the ports: one module for each vendor service, none of which imports another."""
