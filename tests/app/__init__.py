"""An app that only the tests install."""
