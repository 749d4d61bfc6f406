"""The web pages for everybody who takes part: thin, they call operations and show the outcome."""
