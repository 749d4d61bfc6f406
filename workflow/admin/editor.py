"""The field that code is written in."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

ACE = "django_ace/ace"
THEMES = ("github_light_default", "github_dark")


class CodeEditor(forms.Textarea):
    """A text field for Python that `workflow/editor.js` turns into an editor; without scripts it stays a text field.

    The editor is Ace, as django-ace ships it. django-ace's own script is left out: it fails when a row of a formset
    is removed (it expects the events of Django 4.0), has no label for screen readers, and no dark theme.
    """

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(
            {
                "rows": 8,
                "cols": 80,
                "spellcheck": "false",
                "autocapitalize": "off",
                "data-workflow-editor": _("press Enter to edit, and Escape to leave"),
                **(attrs or {}),
            }
        )

    @property
    def media(self) -> forms.Media:
        scripts = ["ace.js", "mode-python.js", "ext-searchbox.js", *(f"theme-{theme}.js" for theme in THEMES)]
        styles = ["ace.css", *(f"theme/{theme}.css" for theme in THEMES)]
        return forms.Media(
            js=[*(f"{ACE}/{script}" for script in scripts), "workflow/editor.js"],
            css={"screen": [f"{ACE}/css/{style}" for style in styles]},
        )
