"""A process as a picture: steps from top to bottom, parallel rows side by side, jumps in lanes at the sides.

Pure: no Django. The result is SVG to stand inside an HTML page that loads `workflow/diagram.css`; it works
under a strict Content-Security-Policy, and is plain but complete without the stylesheet.
"""

from workflow.diagram.parts import Mark
from workflow.diagram.svg import render
from workflow.diagram.words import describe

__all__ = ["Mark", "describe", "render"]
