"""The site: its settings from the environment, its addresses, its demo. It knows `workflow`; never the other way round."""
